"""``nproxy-mw gc``: removes what interrupted publishes and unpublishes left behind, and what has expired."""

from __future__ import annotations

import sys

from nproxy_mw.cli.command import Command, Parsed
from nproxy_mw.cli.options import Option
from nproxy_mw.cli.stores import ANY_OF_STORE, existing_storage, orgs_of
from nproxy_mw.cli.terminal import count, plain
from nproxy_mw.cli.values import duration
from nproxy_mw.upkeep.gc import EXPIRED, MERGED, ORPHANS_KEPT, ORPHANS_REMOVED, PRUNED, Orphan, gc, sweep
from nproxy_mw.upkeep.progress import Progress

_TEXT = """\
Removes tarballs that no record names, temporary files of killed processes, and sessions, logins and counts of failed
sign-ins whose time is over. Merges the record of installs, day by day, and removes the days that are older than the
setting ledgerDays. Run it from time to time, say once an hour: a run notes the orphans it sees, and a later
one removes those that an earlier run saw at least the grace period ago. So a publish that is under way never loses its
bytes, whatever the clocks of its host say.

  nproxy-mw gc --dry-run         only shows them
  nproxy-mw gc --grace 1d        gives them a day
"""


def _run(parsed: Parsed) -> int:
    storage = existing_storage(parsed.storage)
    progress = Progress(sys.stderr)
    orgs = orgs_of(parsed) or None
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
    minutes = int(left.age.total_seconds() // 60)
    return f"kept, first seen {count(minutes, 'minute')} ago" if left.age else "kept, seen first now"


def _conclude(progress: Progress, swept: int, dry_run: bool) -> None:
    removed, kept = progress.counts[ORPHANS_REMOVED], progress.counts[ORPHANS_KEPT]
    verb = "would be removed" if dry_run else "removed"
    rest = f"{count(progress.counts[EXPIRED], 'expired object')} and {count(swept, 'temporary file')} {verb}"
    pruned, merged = progress.counts[PRUNED], progress.counts[MERGED]
    if pruned or merged:
        rest += f"; of the record of installs, {count(pruned, 'part')} {verb} and {merged} merged"
    print(f"{count(removed, 'orphan')} {verb}, {kept} kept; {rest}.", file=sys.stderr)


COMMAND = Command(
    "gc",
    _run,
    _TEXT,
    options=(
        Option(
            "grace", "how long an orphan is kept after it was first seen; 0s only while nobody publishes", "TIME",
            parse=duration, default="1h", group="gc",
        ),
        Option("dry-run", "remove nothing, and write nothing down", group="gc"),
        *ANY_OF_STORE,
    ),
)  # fmt: skip
