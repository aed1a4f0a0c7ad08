"""Answers of the OSV API that are kept: in one SQLite file for the processes of a host, or in memory.

What is kept here is derived. When the file cannot be read or written, there are no answers, and nothing fails.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.times import from_unix

MAX_ANSWERS = 50_000
"""Packages whose answers are kept. Beyond it a tenth goes: first what says nothing, then what is oldest."""

FORMAT = 1
_TABLES = f"""
CREATE TABLE IF NOT EXISTS answer (package TEXT PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answer_at ON answer (at);
CREATE TABLE IF NOT EXISTS failure (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
PRAGMA user_version = {FORMAT};
"""
# An answer that says nothing has one byte. Strangers can ask about names that nobody uses.
_DROP = "DELETE FROM answer WHERE package IN (SELECT package FROM answer ORDER BY length(body) > 1, at LIMIT ?)"

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[Advisory, ...])


class Answers:
    """The kept answers, in the file at *path*; if it is None, in the memory of this process.

    At most *most* are kept. Safe for threads and forks.
    """

    def __init__(self, path: Path | None = None, *, most: int = MAX_ANSWERS) -> None:
        self.path = path
        self.most = most
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def find(self, package: str) -> tuple[datetime, tuple[Advisory, ...]] | None:
        """Returns when the API was asked about a package last, and its answer; None when it is not kept."""
        rows = self._run("SELECT at, body FROM answer WHERE package = ?", package)
        try:
            return (from_unix(rows[0][0]), _DECODER.decode(rows[0][1])) if rows else None
        except msgspec.DecodeError:
            return None

    def keep(self, package: str, at: datetime, advisories: Sequence[Advisory]) -> None:
        """Keeps an answer."""
        self._run(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", package, at.timestamp(), _ENCODER.encode(advisories)
        )
        self._drop_oldest()

    def keep_nothing_known(self, packages: Sequence[str], at: datetime) -> None:
        """Keeps for each of *packages* that nothing is known against it."""
        nothing, moment = _ENCODER.encode(()), at.timestamp()
        rows = [(package, moment, nothing) for package in packages]
        with self._guard, suppress(sqlite3.Error), self._opened() as connection:
            connection.executemany("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", rows)
        self._drop_oldest()

    @property
    def failed_at(self) -> datetime | None:
        """When the API could not be reached last; None when it could since."""
        rows = self._run("SELECT at FROM failure")
        return from_unix(rows[0][0]) if rows else None

    @failed_at.setter
    def failed_at(self, at: datetime | None) -> None:
        if at is None:
            self._run("DELETE FROM failure")
        else:
            self._run("INSERT OR REPLACE INTO failure VALUES (1, ?)", at.timestamp())

    def close(self) -> None:
        """Closes the file. The next question opens it again."""
        with self._guard:
            self._close()

    def _drop_oldest(self) -> None:
        count = self._run("SELECT count(*) FROM answer")
        if count and count[0][0] > self.most:
            self._run(_DROP, count[0][0] - self.most + self.most // 10)

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with self._guard:
            try:
                with self._opened() as connection:
                    return connection.execute(statement, values).fetchall()
            except sqlite3.Error:
                self._close()
                return []

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            self._close()
            self._connection, self._process = _open(self.path), os.getpid()
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _open(path: Path | None) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError:
        if path is not None:
            path.unlink(missing_ok=True)  # damaged: there is nothing in it that cannot be asked for again
        return _connect(path)


def _connect(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:" if path is None else path, check_same_thread=False, timeout=2.0)
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise sqlite3.DatabaseError("Another version wrote these answers.")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
