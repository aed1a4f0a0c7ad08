"""How an index follows the storage: a cheap check of the latest audit events, and a comparison with all records.

*Strategy:* each change of a package leaves an audit event under a key that begins with its time. So a check lists the
events of the last while, and reads the packages of those that are new to it. What a check cannot see (an event that a
crash kept from being written, a store that was copied or restored) a comparison finds: it lists the revisions of all
records, and reads those that differ. Both read a package as it is now, and write only where nobody wrote meanwhile, so
they may be done at any time, by several at once, and again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from nproxy_mw.audit import index as events
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.packages.search import tables
from nproxy_mw.packages.search.entries import PackageEntry
from nproxy_mw.packages.search.records import PackageRecords
from nproxy_mw.storage.indexes.database import IndexDatabase
from nproxy_mw.storage.port import Revision
from nproxy_mw.times import Clock

_log = logging.getLogger(__name__)

SKEW = timedelta(minutes=15)
"""How far the clocks of two hosts may be apart. S3 refuses the requests of one that is further off."""

GAP = 6 * 60 * 60
"""Seconds without a check after which listing events costs more than a comparison."""

BATCH = 500  # packages that are read before they are written, in one transaction
ATTEMPTS = 3  # to write a package that others write too
MAX_FAILED = 20  # packages that cannot be read, before the storage is taken for unreachable
PROGRESS = 10.0  # seconds between two lines of the log


class IndexRefresh:
    """Brings the index in *database* up to date with *records*. *clock* tells the time that events are stamped with."""

    def __init__(self, database: IndexDatabase, records: PackageRecords, clock: Clock) -> None:
        self.database = database
        self.records = records
        self.clock = clock

    def check(self, pending: Iterable[str] = ()) -> set[str]:
        """Reads the packages that recent events are about, and those in *pending*; returns those that it could not.

        Raises:
            StorageUnavailable: the storage, or the index, cannot be read or written just now.
            IndexGone: see `IndexDatabase.reading`.
        """
        now = self.clock()
        with self.database.reading() as connection:
            since, seen = tables.state(connection).checked, tables.seen(connection)
        if since is None:  # the comparison that is under way reads everything
            return set(pending)
        present = self._events(since, now)
        names = {key: events.package_of(self.records.storage, key) for key in present - seen}
        failed = self._sync(sorted({name for name in names.values() if name} | set(pending)))
        done = {key for key, name in names.items() if name not in failed}
        with self.database.writing() as connection:
            tables.set_checked(connection, now.timestamp(), done, seen - present)
        return failed

    def compare(self) -> None:
        """Reads the packages whose records are not at the revisions that the index knows. Raises as `check`."""
        now = self.clock()
        with self.database.reading() as connection:
            since, seen = tables.state(connection).checked, tables.seen(connection)
        if since is None or not 0 <= now.timestamp() - since < GAP:
            # These events are about packages that are read from here on. Later ones are found by checks, meanwhile.
            present = self._events(now.timestamp(), now)
            with self.database.writing() as connection:
                tables.set_checked(connection, now.timestamp(), present, seen - present)
        self._remove_unlisted(self._follow_listing())
        with self.database.writing() as connection:
            tables.set_compared(connection, now.timestamp())

    def _events(self, since: float, now: datetime) -> set[str]:
        start = datetime.fromtimestamp(since, UTC) - SKEW
        return set(events.package_changes(self.records.storage, start, now + SKEW))

    def _follow_listing(self) -> set[str]:
        """Reads the packages whose listed revisions are not those of the index; returns the names of all."""
        listed, failed, read, shown = set[str](), set[str](), 0, time.monotonic()
        listing = self.records.revisions()
        while part := dict(islice(listing, BATCH)):
            with self.database.reading() as connection:
                known = tables.revisions(connection, part)
            changed = [name for name, revision in part.items() if revision is None or known.get(name) != revision]
            failed |= self._sync(changed)
            if len(failed) > MAX_FAILED:
                raise StorageUnavailable("The storage does not answer: the search index is not up to date.")
            listed.update(part)
            read += len(changed)
            if time.monotonic() - shown > PROGRESS:
                shown = time.monotonic()
                _log.info("search index of %s: %d packages read so far", self.database.org, read)
        _log.info("search index of %s: %d of %d packages read", self.database.org, read, len(listed))
        return listed

    def _remove_unlisted(self, listed: Container[str]) -> None:
        with self.database.reading() as connection:
            unlisted = [name for name in tables.names(connection) if name not in listed]
        # The listing may be older than some of them, so each is looked for.
        for start in range(0, len(unlisted), BATCH):
            self._sync(unlisted[start : start + BATCH])

    def _sync(self, names: Sequence[str]) -> set[str]:
        """Makes the index say what the storage says of *names*; returns those that could not be read."""
        failed, rest = set[str](), names
        for _ in range(ATTEMPTS):
            if not rest:
                break
            with self.database.reading() as connection:
                known = tables.revisions(connection, rest)
            read = self.records.read({name: known.get(name) for name in rest})
            failed |= read.failed
            rest = self._write(read.entries, known)
        return failed

    def _write(self, entries: Mapping[str, PackageEntry | None], known: Mapping[str, Revision]) -> list[str]:
        """Writes what was read; returns the names that others wrote meanwhile."""
        if not entries:
            return []
        with self.database.writing() as connection:
            return [name for name, entry in entries.items() if not tables.put(connection, name, entry, known.get(name))]
