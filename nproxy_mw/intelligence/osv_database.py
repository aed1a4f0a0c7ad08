"""A local database of OSV records: one SQLite file per host, read by every worker, swapped whole at an update.

*Strategy:* a build writes a new file beside the old one and renames it over it, so that a reader sees the old database
or the new one, whole. A reader looks at the file's identity at most every `LOOK` seconds, and opens it anew when it was
swapped. The file is derived: when it is lost or damaged, the next update makes it again.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from nproxy_mw.intelligence.osv_affected import alerts_of
from nproxy_mw.intelligence.osv_records import Advisory
from nproxy_mw.intelligence.port import Alert, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release

LOOK = 5.0
"""Seconds after which a reader asks whether the file was swapped."""

SCHEMA = 1
_TABLES = """
CREATE TABLE advisory (package TEXT NOT NULL, id TEXT NOT NULL, place INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (package, id, place)) WITHOUT ROWID;
CREATE INDEX advisory_id ON advisory (id);
CREATE TABLE record (id TEXT PRIMARY KEY, modified TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class ParsedRecord(NamedTuple):
    """One record as `parse_record` returns it. No advisories: it was withdrawn, or is about no npm package."""

    id: str
    modified: str
    advisories: list[Advisory]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a database holds, and from when. *built* and *newest* are times as text; *newest* is a record's."""

    records: int
    packages: int
    malware: int
    built: str
    newest: str
    source: str


def build(path: Path, records: Iterable[ParsedRecord], *, built: str, source: str, base: Path | None = None) -> Summary:
    """Writes a database to *path*, in place of an earlier one, once all of it is there.

    *records* replace those of the same id in *base*, an existing database to begin from; if it is None, they are all.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        with _writable(partial, base) as database:
            for record in records:
                _put(database, record)
            summary = _finish(database, built, source)
        database.close()
        _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return summary


def summary_of(path: Path) -> Summary | None:
    """Returns what the database at *path* holds; None when there is none, or one of another version."""
    try:
        with _readable(path) as database:
            facts = dict(database.execute("SELECT name, value FROM fact"))
            return _summary(database, facts) if facts.get("schema") == str(SCHEMA) else None
    except sqlite3.Error:
        return None


class OsvDatabase:
    """The `Intelligence` of the database at *path*. Safe for threads and forks.

    *monotonic* counts seconds. While there is no sound database, every question raises
    `IntelligenceUnavailable`.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.monotonic = monotonic
        self._local = threading.local()
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
        rows = self._ask("SELECT body FROM advisory WHERE package = ? ORDER BY id, place", name)
        return [_DECODER.decode(body) for (body,) in rows]

    def by_id(self, record: str) -> list[Advisory]:
        """Returns what the record *record* says about each package. Raises `IntelligenceUnavailable`."""
        rows = self._ask("SELECT body FROM advisory WHERE id = ? ORDER BY package, place", record)
        return [_DECODER.decode(body) for (body,) in rows]

    def _ask(self, question: str, *values: str) -> list[tuple[bytes]]:
        try:
            return self._connection().execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise IntelligenceUnavailable("The OSV database cannot be read: run 'nproxy-mw osv update'.") from error

    def _connection(self) -> sqlite3.Connection:
        wanted = (os.getpid(), self.revision)
        if not wanted[1]:
            raise IntelligenceUnavailable("There is no OSV database yet: run 'nproxy-mw osv update'.")
        if getattr(self._local, "opened_for", None) != wanted:
            self._local.connection, self._local.opened_for = _readable(self.path), wanted
        return self._local.connection  # type: ignore[no-any-return]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Advisory)


def _writable(path: Path, base: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")  # the file is synced as a whole before it is renamed
    if base is None:
        database.executescript(_TABLES)
    else:
        source = _readable(base)
        source.backup(database)
        source.close()
    return database


def _readable(path: Path) -> sqlite3.Connection:
    quoted = str(path).replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=5.0)


def _put(database: sqlite3.Connection, record: ParsedRecord) -> None:
    database.execute("DELETE FROM advisory WHERE id = ?", (record.id,))
    database.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (record.id, record.modified))
    database.executemany(
        "INSERT INTO advisory VALUES (?, ?, ?, ?)",
        [(one.package, record.id, place, _ENCODER.encode(one)) for place, one in enumerate(record.advisories)],
    )


def _finish(database: sqlite3.Connection, built: str, source: str) -> Summary:
    (newest,) = database.execute("SELECT coalesce(max(modified), '') FROM record").fetchone()
    malware = sum(_DECODER.decode(body).kind == "malware" for (body,) in database.execute("SELECT body FROM advisory"))
    facts = {"schema": str(SCHEMA), "built": built, "source": source, "newest": newest, "malware": str(malware)}
    database.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())
    return _summary(database, facts)


def _summary(database: sqlite3.Connection, facts: dict[str, str]) -> Summary:
    (records,) = database.execute("SELECT count(DISTINCT id) FROM advisory").fetchone()
    (packages,) = database.execute("SELECT count(DISTINCT package) FROM advisory").fetchone()
    return Summary(records, packages, int(facts["malware"]), facts["built"], facts["newest"], facts["source"])


def _identity(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
