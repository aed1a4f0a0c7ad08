"""Clears leftovers out of a store: tarballs that no record names, and temporary files of killed processes.

*Strategy:* a publish stores its bytes first and names them in the record afterwards, so the bytes of a publish that is
under way look like an orphan. How long they have lain there the storage cannot say, and what a publisher's clock says
is no proof. So a run writes down which orphans it saw, and when; a later run removes those that a run at least the
grace period ago saw already, and that no record names even now. Each publish writes to a key of its own, so what was
given up is never named again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from nproxy_mw.errors import Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import ORPHANS, home, homes_in
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.times import Clock, timestamp, utc_now
from nproxy_mw.upkeep.orphans import is_orphan, orphans
from nproxy_mw.upkeep.progress import Progress

GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An orphan: its whole key, how long ago a run first saw it, and whether it is *due* to go."""

    key: str
    age: timedelta
    due: bool


def gc(
    storage: Storage,
    orgs: list[str] | None = None,
    *,
    grace: timedelta = GRACE,
    dry_run: bool = False,
    progress: Progress | None = None,
    clock: Clock = utc_now,
) -> Iterator[Leftover]:
    """Yields every orphan of *storage*, a whole store; those that are due are removed, unless *dry_run*.

    If *orgs* is None, it is about all of them. With a *grace* of nothing, orphans go at once: only while nobody can
    publish. A dry run writes nothing down, so it does not begin anybody's grace.
    """
    progress = progress or Progress()
    for org in sorted(homes_in(storage)) if orgs is None else orgs:
        own = home(storage, org)
        for left in _collect(own, grace, clock(), dry_run):
            progress.count("orphans removed" if left.due else "orphans kept")
            yield Leftover(own.outer(left.key), left.age, left.due)


def sweep(storage: Storage, *, grace: timedelta = GRACE, dry_run: bool = False) -> int:
    """Removes temporary files older than *grace* that killed processes left in a local folder; answers how many.

    Only a local folder has any.
    """
    return storage.sweep(grace.total_seconds(), dry_run=dry_run) if isinstance(storage, LocalStorage) else 0


def _collect(own: Prefixed, grace: timedelta, now: datetime, dry_run: bool) -> Iterator[Leftover]:
    seen, revision = _read(own)
    still: dict[str, str] = {}
    for key in orphans(own):
        first = seen.get(key, now)
        left = Leftover(key, now - first, now - first >= grace)
        if left.due and not dry_run:
            left = Leftover(key, left.age, _remove(own, key))
        if not left.due:
            still[key] = timestamp(first)
        yield left
    if not dry_run and still != {key: timestamp(first) for key, first in seen.items()}:
        _write(own, still, revision)


def _remove(own: Prefixed, key: str) -> bool:
    with suppress(UnreadableObject, ValueError, Missing):
        if is_orphan(own, key):
            own.delete(key)
            return True
    return False


def _read(own: Prefixed) -> tuple[dict[str, datetime], Revision | None]:
    """The orphans that earlier runs saw. Notes that cannot be understood are as good as none: the grace begins anew."""
    try:
        stored = own.read(ORPHANS.key())
    except Missing:
        return {}, None
    try:
        noted = documents.decode(stored.data)["orphans"]
        return {key: datetime.fromisoformat(first) for key, first in noted.items()}, stored.revision
    except (StorageUnavailable, AttributeError, KeyError, TypeError, ValueError):
        return {}, stored.revision


def _write(own: Prefixed, still: dict[str, str], revision: Revision | None) -> None:
    data = documents.encode({"orphans": still})
    with suppress(Exists, Changed):  # another run wrote its own notes, which are as good
        if revision is None:
            own.create(ORPHANS.key(), data)
        else:
            own.replace(ORPHANS.key(), data, revision)
