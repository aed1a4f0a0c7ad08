"""Clears a store of leftovers: orphaned tarballs and parts, temporary files of killed processes, and what has expired.

The ledger of installs is made small, too: its days that are over become one object each, and go when an organization's
``ledgerDays`` are over.

*Strategy:* a publish stores its bytes first and names them in the record afterwards, so the bytes of a publish that is
under way look like an orphan. The storage cannot say how long they have been there, and a publisher's clock proves
nothing. So a run notes which orphans it saw, and when; a later run removes those that a run at least the grace period
earlier saw already, and that no record names even now. Each publish writes to a key of its own, so abandoned bytes are
never named again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

from nproxy_mw.accounts import attempts, pending_logins, session_marks, session_records
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.ledger.query import compact, days_of, prune
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import (
    ATTEMPTS,
    LOGIN,
    ORPHANS,
    SESSION,
    SESSION_MARK,
    SETTINGS,
    ObjectKind,
    home,
    homes_in,
)
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.times import Clock, from_timestamp, timestamp, utc_now
from nproxy_mw.upkeep.organizations import require_organizations
from nproxy_mw.upkeep.orphans import is_orphan, orphans
from nproxy_mw.upkeep.progress import Progress

GRACE = timedelta(hours=1)

ORPHANS_REMOVED, ORPHANS_KEPT, EXPIRED = "orphans removed", "orphans kept", "expired objects removed"
PRUNED, MERGED = "parts of the ledger removed", "parts of the ledger merged"
"""What `gc` counts."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A tarball or part that no record names: its whole *key*, its *age* since a run saw it, if it is *due* to go."""

    key: str
    age: timedelta
    due: bool


def gc(
    storage: Storage,
    orgs: Iterable[str] | None = None,
    *,
    grace: timedelta = GRACE,
    dry_run: bool = False,
    progress: Progress | None = None,
    clock: Clock = utc_now,
) -> Iterator[Orphan]:
    """Yields every orphan of *storage*, a whole store, and removes those that are due; then removes what has expired.

    Days of the ledger of installs are merged once they have been over for a day, so that no process still writes them.

    If *orgs* is None, all organizations are cleared, and sessions and failed sign-ins too. A *grace* of zero removes
    orphans at once: use it only while nobody can publish. With *dry_run*, everything is only counted: nothing is
    removed, merged or noted, so no grace period begins.

    Raises:
        NotFound: the store has nothing of one of *orgs*.
        StorageUnavailable: the storage cannot be read or written.
    """
    progress = Progress() if progress is None else progress
    wanted = sorted(homes_in(storage)) if orgs is None else require_organizations(storage, orgs)
    for org in wanted:
        own = home(storage, org)
        for orphan in _collect(own, grace, clock(), dry_run):
            progress.count(ORPHANS_REMOVED if orphan.due else ORPHANS_KEPT)
            yield Orphan(own.outer(orphan.key), orphan.age, orphan.due)
        progress.count(EXPIRED, _remove_expired(own, LOGIN, clock(), dry_run))
        _tend_ledger(own, org, clock().date(), progress, dry_run=dry_run)
    for kind in (SESSION, SESSION_MARK, ATTEMPTS) if orgs is None else ():
        progress.count(EXPIRED, _remove_expired(storage, kind, clock(), dry_run))


def sweep(storage: Storage, *, grace: timedelta = GRACE, dry_run: bool = False) -> int:
    """Removes temporary files older than *grace* that killed processes left in a local folder; returns how many.

    Other storages have none.
    """
    return storage.sweep(grace.total_seconds(), dry_run=dry_run) if isinstance(storage, LocalStorage) else 0


def _tend_ledger(own: Prefixed, org: str, today: date, progress: Progress, *, dry_run: bool) -> None:
    """Removes the days of the ledger that are too old, and merges those that are over. ``check`` tells of damage."""
    first = date.min
    with suppress(UnreadableObject, Missing):
        own.read(SETTINGS.key())  # where they are lost, nobody knows how long anything is kept
        first = today - timedelta(days=SettingsStore(own, trail=Trail(own, org=org)).get().ledger_days)
        progress.count(PRUNED, prune(own, first, dry_run=dry_run))
    for day in days_of(own):
        if first <= day < today - timedelta(days=1):
            with suppress(UnreadableObject):
                progress.count(MERGED, compact(own, day, dry_run=dry_run))


_IS_OVER: Mapping[ObjectKind, Callable[[bytes, datetime], bool]] = MappingProxyType(
    {
        SESSION: session_records.is_over,
        SESSION_MARK: session_marks.is_over,
        ATTEMPTS: attempts.is_over,
        LOGIN: pending_logins.is_over,
    }
)


def _remove_expired(storage: Storage, kind: ObjectKind, now: datetime, dry_run: bool) -> int:
    """Removes the objects of *kind* whose time is over; returns how many. What cannot be read is left to ``check``."""
    removed = 0
    for key in list(kind.keys(storage)):
        with suppress(UnreadableObject, Missing):
            if _IS_OVER[kind](storage.read(key).data, now):
                if not dry_run:
                    storage.delete(key)
                removed += 1
    return removed


def _collect(own: Prefixed, grace: timedelta, now: datetime, dry_run: bool) -> Iterator[Orphan]:
    seen, revision = _read_notes(own)
    noted: dict[str, str] = {}
    for key in orphans(own):
        first = seen.get(key, now)
        orphan = Orphan(key, now - first, now - first >= grace)
        if orphan.due and not dry_run:
            orphan = Orphan(key, orphan.age, _remove(own, key))
        if not orphan.due:
            noted[key] = timestamp(first)
        yield orphan
    if not dry_run and noted != {key: timestamp(first) for key, first in seen.items()}:
        _write_notes(own, noted, revision)


def _remove(own: Prefixed, key: str) -> bool:
    # A damaged record: its tarballs and parts are needed when it is restored. Missing: another run was quicker.
    with suppress(UnreadableObject, Missing):
        if is_orphan(own, key):
            own.delete(key)
            return True
    return False


def _read_notes(own: Prefixed) -> tuple[dict[str, datetime], Revision | None]:
    """The orphans that earlier runs saw. Notes that cannot be understood count as none: the grace begins again."""
    try:
        stored = own.read(ORPHANS.key())
    except Missing:
        return {}, None
    try:
        noted = documents.decode(stored.data)["orphans"]
        return {key: from_timestamp(first) for key, first in noted.items()}, stored.revision
    except (StorageUnavailable, AttributeError, KeyError, TypeError, ValueError):
        return {}, stored.revision


def _write_notes(own: Prefixed, noted: dict[str, str], revision: Revision | None) -> None:
    data = documents.encode({"orphans": noted})
    with suppress(Exists, Changed):  # another run wrote its own notes, which are as good
        if revision is None:
            own.create(ORPHANS.key(), data)
        else:
            own.replace(ORPHANS.key(), data, revision)
