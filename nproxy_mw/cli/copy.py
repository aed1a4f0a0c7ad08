"""``nproxy-mw copy``: moves a whole store to another place or back end."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Argument, Command, Parsed
from nproxy_mw.cli.options import Option, UsageError
from nproxy_mw.cli.stores import existing_storage, open_organizations
from nproxy_mw.errors import Conflict
from nproxy_mw.upkeep.copy import copy, origin_of
from nproxy_mw.upkeep.progress import Progress

_TEXT = """\
Copies everything from one store to another, and reads back what it writes. Interrupted and run again, it continues;
run again later, it brings over what has changed since.

  nproxy-mw copy /srv/npm s3://acme-npm            while the servers run: this takes long
  nproxy-mw copy /srv/npm s3://acme-npm            with the servers stopped: this brings over the rest
  nproxy-mw check --storage s3://acme-npm          then start the servers on the copy

People with a session on the server sign in again; API tokens stay what they are.
"""


def _run(parsed: Parsed) -> int:
    origin, target = origin_of(parsed.source), origin_of(parsed.destination)
    if _is_within(target, origin) or _is_within(origin, target):
        raise UsageError(f"{parsed.source} and {parsed.destination} are the same place, or one lies in the other.")
    source, destination = existing_storage(parsed.source), open_organizations(parsed.destination).storage
    progress = Progress(sys.stderr)
    try:
        copy(source, destination, origin=origin, dry_run=parsed.dry_run, progress=progress)
    except Conflict as error:
        raise UsageError(error.message) from error
    finally:
        progress.clear()
    print(f"{'Found' if parsed.dry_run else 'Done'}: {str(progress) or 'nothing'}.", file=sys.stderr)
    return 0


def _is_within(place: str, other: str) -> bool:
    return f"{place}/".startswith(f"{other.rstrip('/')}/")


COMMAND = Command(
    "copy",
    _run,
    _TEXT,
    arguments=(
        Argument("source", "SRC", "a folder or an fsspec URL"),
        Argument("destination", "DST", "another one: empty, or an earlier copy of this source"),
    ),
    options=(Option("dry-run", "write nothing, and say what there is to copy", group="copy"),),
)
