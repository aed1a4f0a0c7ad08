"""Which packages an organization fetched: of each the highest version and the last time, in an index of this host.

*Strategy:* a month of the ledger is more than a request may read. So the index takes in each object of the ledger when
its revision is a new one. What it keeps of a package can only rise, so an object may be taken in again, by several
processes, and after it was merged with others. The objects of the present days are listed when somebody asks, at most
every `FRESH` seconds; those of all days every `WHOLE` seconds, when what `gc` pruned is forgotten, too.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from nproxy_mw.background import Job
from nproxy_mw.errors import Busy, Missing, StorageUnavailable
from nproxy_mw.ledger import seen_tables
from nproxy_mw.ledger.facts import Counts, decode
from nproxy_mw.ledger.query import day_of
from nproxy_mw.ledger.seen_tables import SCHEMA, SeenObject, SeenPackage, SeenPage, SeenQuestion, SeenState
from nproxy_mw.storage.freshness import strict
from nproxy_mw.storage.indexes.database import IndexDatabase, IndexGone
from nproxy_mw.storage.layout import INSTALLS
from nproxy_mw.storage.listing import list_with_revisions
from nproxy_mw.storage.places import derived_folder
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, utc_now

FRESH = 5.0  # seconds, as long as the ledger itself lags behind
WHOLE = 600.0  # seconds
PATIENCE = 2.0  # seconds that a request waits; then it takes what is there
FIRST_PATIENCE = 5.0  # seconds, while there is no index yet
LOCK_SECONDS = 2.0

_NEAR = (timedelta(days=-1), timedelta(), timedelta(hours=1))
"""The days that are still written to: those of these moments. The clock of another host may be ahead."""

_log = logging.getLogger(__name__)


class SeenIndex:
    """The packages that the organization *org* fetched, by the ledger on *storage*, its own, in an index in *folder*.

    If *folder* is None, the index is kept in memory. *clock* tells the time that the ledger's days follow.
    """

    def __init__(self, storage: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now) -> None:
        self.org = org
        self.storage = strict(storage)
        self.database = IndexDatabase(folder, org, SCHEMA)
        self.clock = clock
        self._job = Job(f"index of what {org} fetched", self._run)

    def page(self, asked: SeenQuestion) -> SeenPage:
        """Returns a page of packages, internal ones included unless their scopes are excluded.

        Raises:
            StorageUnavailable: there is no index yet and the ledger cannot be read, or the index cannot be.
        """
        for _ in range(2):  # an index that is found damaged is made again, once
            with suppress(IndexGone):
                self._follow()
                with self.database.reading() as connection:
                    return seen_tables.page(connection, asked)
        raise _unavailable()

    def fetches(self) -> Mapping[date, int] | None:
        """Returns how many fetches each day has; None while the index is made for the first time. Raises as `page`."""
        for _ in range(2):
            with suppress(IndexGone):
                self._follow()
                with self.database.reading() as connection:
                    state, found = seen_tables.state(connection), seen_tables.fetches(connection)
                return _by_day(found) if state.whole is not None else None
        raise _unavailable()

    def _follow(self) -> None:
        """Brings the index up to date as far as this request has to wait for that."""
        state, now = self._state()
        if _is_due(state.near, FRESH, now) or _is_due(state.whole, WHOLE, now):
            self._job.start()
        if state.whole is None:
            self._job.wait(FIRST_PATIENCE)
            if self._job.failure is not None:
                raise self._job.failure
        elif _is_due(state.near, FRESH, now):
            self._job.wait(PATIENCE)

    def _state(self) -> tuple[SeenState, float]:
        with self.database.reading() as connection:
            return seen_tables.state(connection), self.clock().timestamp()

    def _run(self) -> None:
        with suppress(Busy, IndexGone), self.database.lock("ledger", LOCK_SECONDS):
            state, now = self._state()
            if _is_due(state.whole, WHOLE, now):
                self._take_in_all()
                state = SeenState(now, now)
            elif _is_due(state.near, FRESH, now):
                days = (f"{INSTALLS.folder}/{day:%Y/%m/%d}" for day in self._near_days())
                self._take_in({key: revision for day in days for key, revision in self._listed(day).items()})
                state = state._replace(near=now)
            with self.database.writing() as connection:
                seen_tables.set_state(connection, state)

    def _take_in_all(self) -> None:
        listed = self._listed(INSTALLS.folder)
        known = self._take_in(listed)
        oldest = min((day_of(key) for key in listed), default=self.clock().date())
        with self.database.writing() as connection:
            seen_tables.forget(connection, known.keys() - listed.keys(), _beginning(oldest))
        self.database.sweep(self.clock().timestamp())

    def _take_in(self, listed: dict[str, str | None]) -> dict[str, str]:
        """Reads the objects that changed; returns those that were known before."""
        near = self._near_days()
        with self.database.reading() as connection:
            known = seen_tables.revisions(connection)
        for key, revision in listed.items():
            may_have_changed = revision is None and day_of(key) in near
            if known.get(key) == (revision or "") and not may_have_changed:
                continue
            with suppress(Missing):  # merged with others meanwhile, which the next look finds
                seen = self._read(key)
                with self.database.writing() as connection:
                    seen_tables.take_in(connection, key, revision or "", seen)
        return known

    def _read(self, key: str) -> SeenObject:
        try:
            part = decode(self.storage.read(key).data)
        except ValueError:
            _log.warning("%s is not in the list of fetched packages: it is damaged", key)
            return SeenObject({})
        return SeenObject(folded(part.counts), sum(count.times for count in part.counts.values()), part.of)

    def _listed(self, folder: str) -> dict[str, str | None]:
        found = list_with_revisions(self.storage, folder)
        return {key: revision for key, revision in found if INSTALLS.parse(key) is not None}

    def _near_days(self) -> set[date]:
        return {(self.clock() + distance).date() for distance in _NEAR}


def open_seen_index(
    storage: Storage, own: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now
) -> SeenIndex:
    """Returns the index of what *org*, whose part of *storage* is *own*, fetched. Nothing is read or written yet.

    If *folder* is None, it is where this host keeps what belongs to *storage*: see `derived_folder`.
    """
    return SeenIndex(own, org, folder=folder or derived_folder(storage, "seen"), clock=clock)


def folded(counts: Counts) -> dict[str, SeenPackage]:
    """Returns what the facts of one object say of each package."""
    seen: dict[str, SeenPackage] = {}
    for key, count in counts.items():
        one = SeenPackage(key.package, key.version, count.last)
        before = seen.get(key.package)
        seen[key.package] = one if before is None else before.joined(one)
    return seen


def _by_day(fetches: Mapping[str, int]) -> Mapping[date, int]:
    days: Counter[date] = Counter()
    for key, number in fetches.items():
        days[day_of(key)] += number
    return days


def _unavailable() -> StorageUnavailable:
    return StorageUnavailable("The index of fetched packages cannot be read just now: the log says why.")


def _is_due(moment: float | None, seconds: float, now: float) -> bool:
    return moment is None or not 0 <= now - moment <= seconds


def _beginning(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
