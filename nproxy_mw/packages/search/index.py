"""The search index of one organization: what search and lists of packages ask, and what publishes tell.

*Freshness:* a change by this process is in the index when it is acknowledged, and so in the answers of all processes of
this host that use the same file. A change by another host is found by a check of the latest audit events. An answer
stands on a check that was made at most `FRESH` seconds ago; an older one is renewed in the background, and one older
than `LATE` is renewed first. A request waits at most `PATIENCE` seconds, and then takes what is there.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from nproxy_mw.background import Job
from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.search import Query
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.search import queries, tables
from nproxy_mw.packages.search.entries import entry_of
from nproxy_mw.packages.search.queries import FoundPackages, PackageSort, PagePosition, StoredAmount
from nproxy_mw.packages.search.records import PackageRecords
from nproxy_mw.packages.search.refresh import GAP, IndexRefresh
from nproxy_mw.packages.search.schema import SCHEMA
from nproxy_mw.packages.search.tables import IndexState
from nproxy_mw.storage.indexes.database import IndexDatabase, IndexGone
from nproxy_mw.storage.places import derived_folder, is_local
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.times import Clock, utc_now

FRESH = 2.0  # seconds
LATE = 3.0  # seconds; with the time that a check takes, within the five that hosts may lag behind each other
PATIENCE = 2.0  # seconds
FIRST_PATIENCE = 5.0  # seconds, while there is no index yet
COMPARE = 600.0  # seconds after which all packages are compared with the storage again
TOGETHER = 60.0  # seconds within which the processes of a host start: one comparison is enough for all of them

THREADS = 8
"""How many records are read at once where each costs a request."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SearchIndex:
    """The packages of the organization *org* on *storage*, its own, in an index in *folder*.

    If *folder* is None, the index is kept in memory. *clock* is the one that stamps events.
    """

    def __init__(self, storage: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now) -> None:
        self.org = org
        self.database = IndexDatabase(folder, org, SCHEMA)
        self.clock = clock
        self._refresh = IndexRefresh(
            self.database, PackageRecords(storage, threads=1 if is_local(storage) else THREADS), clock
        )
        self._check = Job(f"check of the search index of {org}", self._run_check)
        self._comparison = Job(f"comparison of the search index of {org}", self._run_comparison)
        self._guard = threading.Lock()
        self._pending: set[str] = set()  # changed by this process, and not written to the index
        self._opened = clock().timestamp()

    def search(self, query: Query, *, first: int, size: int, patterns: Sequence[str] = ()) -> FoundPackages:
        """Returns *size* packages that fit *query*, the best first, from the number *first* on.

        With *patterns*, only packages that fit one of them: see `nproxy_mw.restrictions`.

        Raises:
            StorageUnavailable: there is no index yet, and the storage cannot be read.
        """
        return self._answer(lambda connection: queries.search(connection, query, first, size, patterns))

    def page(self, *, sort: PackageSort, after: PagePosition | None, text: str, size: int) -> FoundPackages:
        """Returns a page of the list of packages: see `queries.page`. Raises as `search`."""
        return self._answer(lambda connection: queries.page(connection, sort, after, text, size))

    def names(self) -> list[str]:
        """Returns the names of all packages that can be read, in their order. Raises as `search`."""
        self.page(sort=PackageSort.NAME, after=None, text="", size=1)
        with self.database.reading() as connection:
            return queries.names(connection)

    def amount(self) -> StoredAmount:
        """Returns how many packages are stored, and how many bytes they have. Raises as `search`."""
        return self._answer(queries.amount)

    def changed(self, name: Name, record: Record, revision: Revision | None) -> None:
        """Notes a change that this process has stored. *revision* is None when it is not known which state is stored.

        Nothing is raised: the change is made, and the index can follow later.
        """
        try:
            if not self.database.exists():  # it is made from the storage when it is needed
                return
            size = record.tarball_bytes
            if revision is not None and size is not None:
                with self.database.writing() as connection:
                    tables.put_newer(connection, entry_of(str(name), record, revision, size))
                return
        except Exception:
            _log.warning("the search index of %s follows a change of %s later", self.org, name, exc_info=True)
        with self._guard:
            self._pending.add(str(name))

    def _answer(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        for _ in range(2):  # an index that is found damaged is made again, once
            with suppress(IndexGone):
                self._follow()
                with self.database.reading() as connection:
                    return ask(connection)
        raise StorageUnavailable("The search index cannot be read just now: the log says why.")

    def _follow(self) -> None:
        """Brings the index up to date as far as this request has to wait for that."""
        state, now = self._state()
        self._opened = min(self._opened, now)
        age = _age(state.checked, now)
        if self._needs_comparison(state, now):
            self._comparison.start()
        if state.compared is None or age > GAP:
            self._comparison.wait(FIRST_PATIENCE)
            if state.compared is None and self._comparison.failure is not None:
                raise self._comparison.failure
            return
        if age > FRESH or self._pending:
            self._check.start()
        if age > LATE or self._pending:
            self._check.wait(PATIENCE)

    def _state(self) -> tuple[IndexState, float]:
        with self.database.reading() as connection:
            return tables.state(connection), self.clock().timestamp()

    def _needs_comparison(self, state: IndexState, now: float) -> bool:
        return _age(state.compared, now) > COMPARE or (state.compared or 0.0) < self._opened - TOGETHER

    def _run_check(self) -> None:
        with suppress(Busy, IndexGone), self.database.lock("check", PATIENCE):
            state, now = self._state()
            with self._guard:
                pending = set(self._pending)
            if pending or _age(state.checked, now) > FRESH:
                failed = self._refresh.check(pending)
                with self._guard:
                    self._pending -= pending - failed

    def _run_comparison(self) -> None:
        with suppress(Busy, IndexGone), self.database.lock("comparison", PATIENCE):
            state, now = self._state()
            if self._needs_comparison(state, now):
                self._refresh.compare()
                self.database.sweep(now)


def open_search_index(
    storage: Storage, own: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now
) -> SearchIndex:
    """Returns the search index of *org*, whose part of *storage* is *own*. Nothing is read or written yet.

    If *folder* is None, it is where this host keeps what belongs to *storage*: see `derived_folder`.
    """
    return SearchIndex(own, org, folder=folder or derived_folder(storage, "search"), clock=clock)


def _age(moment: float | None, now: float) -> float:
    """Returns how many seconds ago *moment* was; a moment in the future is none that this clock has shown."""
    return now - moment if moment is not None and moment <= now else math.inf
