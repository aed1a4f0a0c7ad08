"""How many events of each kind a day has, kept in an index of this host when the day is over.

A count reads the names of all objects of its day: for a month of a busy organization that is a hundred thousand. All
processes of the host share what one of them counted, and so does a server that was started again. Events can still
come into a day that is over, when a crash is made up for or a store is restored: so it is counted again a day later.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

import orjson

from nproxy_mw.audit.index import kinds_of
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.storage.indexes.database import IndexDatabase, IndexGone
from nproxy_mw.storage.indexes.schema import IndexSchema
from nproxy_mw.storage.places import derived_folder
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, utc_now

KEPT = 24 * 60 * 60
"""Seconds that a count stands."""

_TABLES = """
CREATE TABLE days (
    day TEXT PRIMARY KEY,
    kinds TEXT NOT NULL,        -- JSON: how many events, by kind
    counted REAL NOT NULL       -- when, in seconds of Unix time
) WITHOUT ROWID;
CREATE TABLE state (org TEXT NOT NULL);
"""

SCHEMA = IndexSchema(1, _TABLES)


class DayCounts:
    """The counts of the organization *org*, whose own *storage* has the events, in an index in *folder*.

    If *folder* is None, the index is kept in memory. *clock* tells which days are over.
    """

    def __init__(self, storage: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.database = IndexDatabase(folder, org, SCHEMA)
        self.clock = clock

    def of(self, day: date) -> Mapping[str, int]:
        """Returns how many events of each kind *day* has, in UTC.

        Raises:
            StorageUnavailable: the storage cannot be read.
        """
        if not self.is_over(day):
            return kinds_of(self.storage, day)
        found = self._kept(day)
        if found is None:
            found = kinds_of(self.storage, day)
            self._keep(day, found)
        return found

    def is_over(self, day: date) -> bool:
        """Returns whether *day* is over on all hosts: the clock of another one may be a little behind."""
        return (self.clock().date() - day).days > 1

    def _kept(self, day: date) -> Mapping[str, int] | None:
        now = self.clock().timestamp()
        with suppress(IndexGone, StorageUnavailable), self.database.reading() as connection:
            question = "SELECT kinds FROM days WHERE day = ? AND counted BETWEEN ? AND ?"
            row = connection.execute(question, [f"{day}", now - KEPT, now]).fetchone()
            return dict(orjson.loads(row[0])) if row else None
        return None

    def _keep(self, day: date, kinds: Mapping[str, int]) -> None:
        """Writes a count, and removes those that do not stand any more. Where that fails, it is made again."""
        now = self.clock().timestamp()
        with suppress(IndexGone, StorageUnavailable), self.database.writing() as connection:
            connection.execute("DELETE FROM days WHERE counted NOT BETWEEN ? AND ?", [now - KEPT, now])
            row = [f"{day}", orjson.dumps(kinds).decode(), now]
            connection.execute("INSERT OR REPLACE INTO days (day, kinds, counted) VALUES (?, ?, ?)", row)


def open_day_counts(
    storage: Storage, own: Storage, org: str, *, folder: Path | None = None, clock: Clock = utc_now
) -> DayCounts:
    """Returns the counts of *org*, whose part of *storage* is *own*. Nothing is read or written yet.

    If *folder* is None, it is where this host keeps what belongs to *storage*: see `derived_folder`.
    """
    return DayCounts(own, org, folder=folder or derived_folder(storage, "days"), clock=clock)
