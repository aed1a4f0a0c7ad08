"""``nproxy-mw copy``: moves a whole store to another place or back end."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.stores import existing_store, open_store
from nproxy_mw.errors import Conflict
from nproxy_mw.upkeep.copy import copy, origin_of
from nproxy_mw.upkeep.progress import Progress

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Copies everything from one store to another, and reads back what it writes. Stopped half-way, it goes on where it was
when it is run again; run again later, it brings over what has changed since.

  nproxy-mw copy /srv/npm s3://acme-npm            while the servers run: this takes long
  nproxy-mw copy /srv/npm s3://acme-npm            with the servers stopped: this brings over the rest
  nproxy-mw check --storage s3://acme-npm          then start the servers on the copy

People with a session on the server sign in again; API tokens stay what they are.
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "copy",
        help="move a store to another place or back end",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a folder or an fsspec URL")
    parser.add_argument("destination", metavar="DST", help="another one: empty, or an earlier copy of this source")
    parser.add_argument("--dry-run", action="store_true", help="write nothing, and say what there is to copy")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Copies, and says how much there was."""
    source, destination = existing_store(parsed.source), open_store(parsed.destination)
    if origin_of(parsed.source) == origin_of(parsed.destination):
        raise UsageError("SRC and DST are the same place.")
    if next(iter(source.list()), None) is None:
        raise UsageError(f"There is no store at {parsed.source}.")
    progress = Progress(sys.stderr)
    try:
        copy(source, destination, origin=origin_of(parsed.source), dry_run=parsed.dry_run, progress=progress)
    except Conflict as error:
        raise UsageError(error.message) from error
    finally:
        progress.clear()
    print(f"{'There are' if parsed.dry_run else 'Done:'} {progress or 'nothing'}.", file=sys.stderr)
    return 0
