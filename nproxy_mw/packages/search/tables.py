"""What is written to the tables of an index: entries, and how far it follows the storage."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator

import orjson
from msgspec import Struct

from nproxy_mw.packages.search.entries import PackageEntry
from nproxy_mw.packages.search.terms import base_of, name_terms, tag_terms, text_terms
from nproxy_mw.storage.port import Revision


class IndexState(Struct, frozen=True):
    """When the index was last known to say what the storage says: Unix times, None for never.

    *compared* is about all packages, *checked* about those that audit events are about.
    """

    checked: float | None
    compared: float | None


def state(connection: sqlite3.Connection) -> IndexState:
    """Returns how far the index follows the storage."""
    return IndexState(*connection.execute("SELECT checked, compared FROM state").fetchone())


def set_compared(connection: sqlite3.Connection, moment: float) -> None:
    """Notes that all packages were compared with the storage at *moment* or later."""
    connection.execute("UPDATE state SET compared = ?", [moment])


def set_checked(connection: sqlite3.Connection, moment: float, new: Iterable[str], old: Iterable[str]) -> None:
    """Notes that at *moment* the index held what all events are about.

    *new* are keys of events that join those that are dealt with, *old* those that need not be remembered any more.
    """
    connection.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ([event] for event in new))
    connection.executemany("DELETE FROM seen WHERE event = ?", ([event] for event in old))
    connection.execute("UPDATE state SET checked = ?", [moment])


def seen(connection: sqlite3.Connection) -> set[str]:
    """Returns the keys of recent events that are dealt with."""
    return {event for (event,) in connection.execute("SELECT event FROM seen")}


def names(connection: sqlite3.Connection) -> Iterator[str]:
    """Yields the names of all packages that the index knows."""
    return (name for (name,) in connection.execute("SELECT name FROM packages"))


def revisions(connection: sqlite3.Connection, names: Collection[str]) -> dict[str, Revision]:
    """Returns the revisions of those of *names* that the index knows."""
    asked = orjson.dumps(list(names)).decode()
    return dict(
        connection.execute(
            "SELECT name, revision FROM packages WHERE name IN (SELECT value FROM json_each(?))", [asked]
        )
    )


def put(connection: sqlite3.Connection, name: str, entry: PackageEntry | None, known: Revision | None) -> bool:
    """Writes *entry*, or removes the package if it is None, unless the index no longer holds the revision *known*.

    Two threads that read one package may write in either order; this keeps the first from overwriting the second.
    Returns whether it was written.
    """
    row, revision = connection.execute("SELECT id, revision FROM packages WHERE name = ?", [name]).fetchone() or (
        None,
        None,
    )
    if revision != known:
        return False
    _delete(connection, row)
    if entry is not None:
        _insert(connection, entry, row)
    return True


def put_newer(connection: sqlite3.Connection, entry: PackageEntry) -> None:
    """Writes *entry*, which this process has just stored, unless the index holds a later state."""
    row, generation = connection.execute(
        "SELECT id, generation FROM packages WHERE name = ?", [entry.name]
    ).fetchone() or (None, -1)
    if generation < entry.generation:
        _delete(connection, row)
        _insert(connection, entry, row)


def _delete(connection: sqlite3.Connection, row: int | None) -> None:
    if row is not None:
        connection.execute("DELETE FROM terms WHERE rowid = ?", [row])
        connection.execute("DELETE FROM packages WHERE id = ?", [row])


def _insert(connection: sqlite3.Connection, entry: PackageEntry, row: int | None) -> None:
    shown = entry.summary
    row = connection.execute(
        "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            row,
            entry.name,
            entry.revision,
            entry.generation,
            base_of(entry.name),
            bool(shown and shown["deprecated"]),
            (shown and shown["modifiedAt"]) or "",
            entry.size,
            orjson.dumps(shown).decode() if shown else None,
        ],
    ).lastrowid
    if shown:
        connection.execute(
            "INSERT INTO terms (rowid, name, text, tags) VALUES (?, ?, ?, ?)",
            [row, name_terms(entry.name), text_terms(shown), tag_terms(shown)],
        )
