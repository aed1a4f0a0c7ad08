"""Builds a database of OSV records, and puts it in the place of an earlier one once all of it is there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from nproxy_mw.intelligence.osv_database import SCHEMA, Summary, readable
from nproxy_mw.intelligence.osv_records import ParsedRecord
from nproxy_mw.intelligence.port import MALWARE

_TABLES = f"""
CREATE TABLE advisory (package TEXT NOT NULL, id TEXT NOT NULL, place INTEGER NOT NULL, is_malware INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (package, id, place)) WITHOUT ROWID;
CREATE INDEX advisory_id ON advisory (id);
CREATE TABLE record (id TEXT PRIMARY KEY, modified TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""
_COUNTS = """
SELECT (SELECT count(DISTINCT id) FROM advisory), (SELECT count(DISTINCT package) FROM advisory),
    (SELECT count(DISTINCT id) FROM advisory WHERE is_malware), (SELECT coalesce(max(modified), '') FROM record)
"""
_BATCH = 500  # records that are written at once
_ENCODER = msgspec.msgpack.Encoder()


def build(
    path: Path,
    records: Iterable[ParsedRecord],
    *,
    built: str,
    source: str,
    base: Path | None = None,
    check: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Writes a database to *path*, in place of an earlier one, once all of it is there. Builds must not overlap.

    *records* replace those of the same id in *base*, an existing database to begin from; if it is None, they are all.
    *check* sees what the new database holds before it is used, and may raise.

    Raises:
        sqlite3.Error: *base* cannot be read, or there is no space for the new database.
        OSError: the new database cannot be put in its place.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with closing(_writable(partial, base)) as database, database:
            for some in _batches(records):
                _put(database, some)
            summary = _summarize(database, built, source)
        check(summary)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return summary


def modified_of(path: Path) -> dict[str, str]:
    """Returns when each record of the database at *path* was modified, by id. Raises `sqlite3.Error`."""
    with closing(readable(path)) as database:
        return dict(database.execute("SELECT id, modified FROM record"))


def _writable(path: Path, base: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = OFF")  # a build that fails is thrown away
    database.execute("PRAGMA synchronous = OFF")  # the file is synced as a whole before it is renamed
    if base is None:
        database.executescript(_TABLES)
    else:
        with closing(readable(base)) as source:
            source.backup(database)
    return database


def _batches(records: Iterable[ParsedRecord]) -> Iterator[list[ParsedRecord]]:
    left = iter(records)
    while some := list(islice(left, _BATCH)):
        yield some


def _put(database: sqlite3.Connection, records: list[ParsedRecord]) -> None:
    newest = {record.id: record for record in records}
    database.executemany("DELETE FROM advisory WHERE id = ?", [(name,) for name in newest])
    database.executemany(
        "INSERT OR REPLACE INTO record VALUES (?, ?)", [(one.id, one.modified) for one in newest.values()]
    )
    rows = [
        (advisory.package, record.id, place, advisory.kind == MALWARE, _ENCODER.encode(advisory))
        for record in newest.values()
        for place, advisory in enumerate(record.advisories)
    ]
    database.executemany("INSERT INTO advisory VALUES (?, ?, ?, ?, ?)", rows)


def _summarize(database: sqlite3.Connection, built: str, source: str) -> Summary:
    records, packages, malware, newest = database.execute(_COUNTS).fetchone()
    summary = Summary(records, packages, malware, built, newest, source)
    facts = [(name, str(value)) for name, value in asdict(summary).items()]
    database.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts)
    return summary
