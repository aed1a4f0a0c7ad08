"""``nproxy-mw gc``: removes what publishes and unpublishes left behind that were cut short."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nproxy_mw.cli.options import add_option, duration
from nproxy_mw.cli.stores import add_upkeep_options, existing_store, organizations_asked_for
from nproxy_mw.cli.terminal import plain
from nproxy_mw.upkeep.gc import Orphan, gc, sweep
from nproxy_mw.upkeep.progress import Progress

if TYPE_CHECKING:
    from nproxy_mw.cli.options import Commands

_HELP = """\
Removes tarballs that no record names, and temporary files of killed processes. Run it from time to time, say once an
hour: a run writes down the orphans it sees, and a later one removes those that an earlier run saw at least the grace
period ago. So a publish that is under way never loses its bytes, whatever the clocks of its host say.

  nproxy-mw gc --dry-run         only shows them
  nproxy-mw gc --grace 1d        gives them a day
"""


def add_to(commands: Commands) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "gc",
        help="remove leftovers",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_upkeep_options(parser)
    add_option(
        parser,
        "--grace",
        "1h",
        metavar="TIME",
        type=duration,
        help="how long an orphan is kept after it was first seen: 90s, 30m, 12h or 7d; 0s only while nobody publishes",
    )
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, and write nothing down")
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Prints each orphan with what becomes of it."""
    storage = existing_store(parsed.storage)
    progress = Progress(sys.stderr)
    orgs = organizations_asked_for(parsed) or None
    for left in gc(storage, orgs, grace=parsed.grace, dry_run=parsed.dry_run, progress=progress):
        progress.clear()
        print(plain(f"{left.key}: {_fate(left, parsed.dry_run)}"), flush=True)
    progress.clear()
    swept = sweep(storage, grace=parsed.grace, dry_run=parsed.dry_run)
    _conclude(progress, swept, parsed.dry_run)
    return 0


def _fate(left: Orphan, dry_run: bool) -> str:
    if left.due:
        return "would be removed" if dry_run else "removed"
    return f"kept, first seen {int(left.age.total_seconds() // 60)} minutes ago" if left.age else "kept, seen first now"


def _conclude(progress: Progress, swept: int, dry_run: bool) -> None:
    removed, kept = progress.counts["orphans removed"], progress.counts["orphans kept"]
    verb = "would be removed" if dry_run else "removed"
    print(f"{removed} orphans {verb}, {kept} kept; {swept} temporary files {verb}.", file=sys.stderr)
