"""A local database of OSV records: one SQLite file per host, read by every worker, swapped whole at an update.

*Strategy:* a build writes a new file next to the old one and renames it over it (`nproxy_mw.intelligence.osv_build`),
so that a reader sees the old database or the new one, whole. A reader looks at the file's identity at most every `LOOK`
seconds, and opens it anew when it was swapped. The file is derived: when it is lost or damaged, an update makes it
again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.osv_affected import alerts_of
from nproxy_mw.intelligence.port import Alert, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release

LOOK = 5.0
"""Seconds after which a reader asks whether the file was swapped."""

SCHEMA = 2
"""The version of the tables, which the file keeps as its ``user_version``. A file of another version is not read."""


class Summary(Struct, frozen=True):
    """What a database holds, and from when.

    *records* are those that say something about an npm package, *malware* those of them that report malware. *built*
    and *newest* are times in the form of `timestamp`; *newest* is when the youngest record was modified. *source* is
    the URL or path that the records came from.
    """

    records: int
    packages: int
    malware: int
    built: str
    newest: str
    source: str


def summary_of(path: Path) -> Summary | None:
    """Returns what the database at *path* holds; None when there is none, or one that cannot be read."""
    try:
        with closing(readable(path)) as database:
            facts = dict(database.execute("SELECT name, value FROM fact"))
        records, packages, malware = (int(facts[name]) for name in ("records", "packages", "malware"))
        return Summary(records, packages, malware, facts["built"], facts["newest"], facts["source"])
    except (sqlite3.Error, KeyError, ValueError):
        return None


def readable(path: Path) -> sqlite3.Connection:
    """Opens the database at *path* for reading.

    Raises:
        sqlite3.Error: there is none, it is damaged, or its tables are of another version.
    """
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    # immutable: a file is replaced, never changed, so that SQLite needs no locks on it.
    database = sqlite3.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA:
            raise sqlite3.DatabaseError("The database was written by another version.")
    except sqlite3.Error:
        database.close()
        raise
    return database


class OsvDatabase:
    """The `Intelligence` of the database at *path*. Safe for threads and forks.

    *monotonic* counts seconds. While there is no sound database, every question raises `IntelligenceUnavailable`.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened_for: tuple[int, str] | None = None  # the process and the file
        self._looked_at = float("-inf")
        self._identity = ""

    @property
    def revision(self) -> str:
        """The identity of the present file; empty when there is none."""
        now = self.monotonic()
        if now - self._looked_at > LOOK:
            self._identity, self._looked_at = _identity(self.path), now
        return self._identity

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns what the database knows against *releases* of the package *name*.

        Raises:
            IntelligenceUnavailable: there is no database, or it cannot be read.
        """
        return alerts_of(self.advisories(name), releases)

    def advisories(self, name: str) -> list[Advisory]:
        """Returns all advisories about the package *name*. Raises `IntelligenceUnavailable`."""
        return self._ask("SELECT body FROM advisory WHERE package = ? ORDER BY id, place", name)

    def by_id(self, record: str) -> list[Advisory]:
        """Returns what the record *record* says about each package. Raises `IntelligenceUnavailable`."""
        return self._ask("SELECT body FROM advisory WHERE id = ? ORDER BY package, place", record)

    def close(self) -> None:
        """Closes the file. The next question opens it again."""
        with self._guard:
            self._close()

    def _ask(self, question: str, value: str) -> list[Advisory]:
        wanted = (os.getpid(), self.revision)
        if not wanted[1]:
            raise IntelligenceUnavailable("There is no OSV database yet: run 'nproxy-mw osv update'.")
        try:
            with self._guard:
                rows = self._opened(wanted).execute(question, (value,)).fetchall()
            return [_DECODER.decode(body) for (body,) in rows]
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise IntelligenceUnavailable("The OSV database cannot be read: run 'nproxy-mw osv update'.") from error

    def _opened(self, wanted: tuple[int, str]) -> sqlite3.Connection:
        if self._connection is None or self._opened_for != wanted:
            self._close()
            self._connection, self._opened_for = readable(self.path), wanted
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_DECODER = msgspec.msgpack.Decoder(Advisory)


def _identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"
