"""``nproxy-mw check``: reads a whole store and says what is wrong in it."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Command, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import ANY_OF_STORE, existing_storage, orgs_of
from nproxy_mw.cli.terminal import count, plain
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.progress import Progress

_TEXT = """\
Reads everything in the store, the bytes of every tarball included, and prints a line for each thing that is not as it
should be. Exit code 0: all is well. 1: something was found. 2: the store could not be read. Tarballs and
parts of records that no record names are listed and do not count: a change that failed, or is under way, leaves them;
'nproxy-mw gc' removes them.

  nproxy-mw check                      all organizations
  nproxy-mw check --org acme           one of them
  nproxy-mw check --repair             completes the audit trail and its index first, where a crash cut them short

It may run while servers do; a publish that is under way can then show as an event that is not indexed.
"""


def _run(parsed: Parsed) -> int:
    storage = existing_storage(parsed.storage)
    progress = Progress(sys.stderr)
    found, orphaned = 0, 0
    for finding in check(storage, orgs_of(parsed), repair=parsed.repair, progress=progress):
        if isinstance(finding, OrphanFinding):
            orphaned += 1
        else:
            found += 1
        progress.clear()
        print(plain(str(finding)), flush=True)
    progress.clear()
    print(f"Checked {str(progress) or 'nothing'}.", file=sys.stderr)
    print(f"{count(found, 'thing')} found." if found else "All is well.", file=sys.stderr)
    if orphaned:
        print(f"{count(orphaned, 'orphan')} of failed changes: 'nproxy-mw gc' removes them.", file=sys.stderr)
    return 1 if found else 0


COMMAND = Command(
    "check",
    _run,
    _TEXT,
    options=(
        Option("repair", "complete what is derived: pending events, and their index", group="check"),
        *ANY_OF_STORE,
    ),
)
