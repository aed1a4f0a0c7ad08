"""``nproxy-mw check``: reads a whole store and says what is wrong in it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.stores import add_upkeep_options, existing_store, organizations_asked_for
from nproxy_mw.cli.terminal import plain
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.progress import Progress

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Reads everything in the store, the bytes of every tarball included, and prints a line for each thing that is not as it
should be. Exit code 0: all is well. 1: something was found. 2: the store could not be read.

  nproxy-mw check                      all organizations
  nproxy-mw check --repair             completes the audit trail and its index first, where a crash cut them short

It may run while servers do; a publish that is under way can then show as an orphan or an event that is not indexed.
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "check",
        help="verify everything that is stored",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_upkeep_options(parser)
    parser.add_argument("--repair", action="store_true", help="mend what is derived: untold events, and their index")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints the findings as they come, and what was read at the end."""
    progress = Progress(sys.stderr)
    found, orphaned = 0, 0
    for finding in check(
        existing_store(parsed.storage), organizations_asked_for(parsed), repair=parsed.repair, progress=progress
    ):
        found += 1
        orphaned += isinstance(finding, OrphanFinding)
        progress.clear()
        print(plain(str(finding)), flush=True)
    progress.clear()
    print(f"Checked {progress or 'nothing: the store is empty'}.", file=sys.stderr)
    print(f"{found} thing{'' if found == 1 else 's'} found." if found else "All is well.", file=sys.stderr)
    if orphaned:
        print("Tarballs that no record names are removed by 'nproxy-mw gc'.", file=sys.stderr)
    return 1 if found else 0
