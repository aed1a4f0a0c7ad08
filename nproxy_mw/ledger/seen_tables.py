"""The tables of an index of fetched packages: what is written to them, and what is read."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson
from msgspec import Struct

from nproxy_mw.errors import invalid_cursor
from nproxy_mw.npm.names import names_in
from nproxy_mw.npm.versions import sort_key
from nproxy_mw.storage.indexes.schema import IndexSchema

_TABLES = """
CREATE TABLE packages (
    name TEXT PRIMARY KEY,
    newest TEXT NOT NULL,       -- the highest version that was fetched
    last REAL NOT NULL          -- when anything of it was fetched last, in seconds of Unix time
) WITHOUT ROWID;
CREATE INDEX by_time ON packages (last, name);
CREATE TABLE objects (
    key TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    fetches INTEGER NOT NULL,   -- that its facts count
    stands_for TEXT NOT NULL    -- JSON: the keys of the objects that were merged into it
) WITHOUT ROWID;
CREATE TABLE state (org TEXT NOT NULL, near REAL, whole REAL);
"""
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)

SCHEMA = IndexSchema(2, _TABLES)


class SeenState(NamedTuple):
    """When the index last followed the ledger, in Unix time, None for never: its *near* days, and the *whole* of it."""

    near: float | None
    whole: float | None


class SeenPackage(NamedTuple):
    """A package, the highest version of it that was fetched, and when any was fetched last, in Unix time."""

    name: str
    newest: str
    last: float

    def joined(self, other: SeenPackage) -> SeenPackage:
        """Returns what both say of the package together."""
        newest = max(self.newest, other.newest, key=sort_key)
        return SeenPackage(self.name, newest, max(self.last, other.last))


class SeenObject(NamedTuple):
    """What one object of the ledger says: of each package; how many *fetches*; and which objects it *stands_for*."""

    packages: Mapping[str, SeenPackage]
    fetches: int = 0
    stands_for: Sequence[str] = ()


class SeenPosition(NamedTuple):
    """Where a page begins: after the package *name*, which was fetched last at *last*."""

    name: str
    last: float = 0.0

    @classmethod
    def parse(cls, name: str, last: str) -> SeenPosition:
        """Returns the position that the page before gave. Raises `BadRequest` when no page gives it."""
        valid, seconds = next(names_in([name]), None), last or "0"
        if valid is None or not _SECONDS.fullmatch(seconds):
            raise invalid_cursor()
        return cls(str(valid), float(seconds))


class SeenSort(StrEnum):
    """The orders of the list of fetched packages."""

    NAME = "name"
    FETCHED = "fetched"
    """The last fetched package first."""


class SeenQuestion(Struct, frozen=True):
    """A page of *size* packages after *after*, of those that have *text* in their names and none of *scopes*."""

    sort: SeenSort = SeenSort.NAME
    after: SeenPosition | None = None
    text: str = ""
    size: int = 50
    scopes: Collection[str] = ()


class SeenPage(Struct, frozen=True):
    """A part of what was asked for, and how many there are in all.

    *counted* is when the index last followed the ledger, in Unix time; None while it is made for the first time and
    lacks packages.
    """

    packages: Sequence[SeenPackage]
    total: int
    counted: float | None


def state(connection: sqlite3.Connection) -> SeenState:
    """Returns how far the index follows the ledger."""
    return SeenState(*connection.execute("SELECT near, whole FROM state").fetchone())


def set_state(connection: sqlite3.Connection, found: SeenState) -> None:
    """Notes how far the index follows the ledger."""
    connection.execute("UPDATE state SET near = ?, whole = ?", found)


def revisions(connection: sqlite3.Connection) -> dict[str, str]:
    """Returns the objects of the ledger that the index has taken in, with the revisions that they had."""
    return dict(connection.execute("SELECT key, revision FROM objects"))


def fetches(connection: sqlite3.Connection) -> dict[str, int]:
    """Returns how many fetches each object of the ledger counts, without those that another one stands for."""
    rows = connection.execute("SELECT key, fetches, stands_for FROM objects").fetchall()
    replaced = {key for _, _, stands_for in rows for key in orjson.loads(stands_for)}
    return {key: number for key, number, _ in rows if key not in replaced}


def take_in(connection: sqlite3.Connection, key: str, revision: str, seen: SeenObject) -> None:
    """Adds what one object of the ledger has *seen*. It does not matter how often that is done."""
    asked = orjson.dumps(list(seen.packages)).decode()
    known = connection.execute(
        "SELECT name, newest, last FROM packages WHERE name IN (SELECT value FROM json_each(?))", [asked]
    )
    before = {row[0]: SeenPackage(*row) for row in known}
    after = (before[name].joined(one) if name in before else one for name, one in seen.packages.items())
    changed = [one for one in after if one != before.get(one.name)]
    connection.executemany("INSERT OR REPLACE INTO packages VALUES (?, ?, ?)", changed)
    stands_for = orjson.dumps(seen.stands_for).decode()
    connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", [key, revision, seen.fetches, stands_for])


def forget(connection: sqlite3.Connection, keys: Iterable[str], before: float) -> None:
    """Forgets objects that are gone, and the packages that were fetched last *before* that Unix time."""
    connection.executemany("DELETE FROM objects WHERE key = ?", ([key] for key in keys))
    connection.execute("DELETE FROM packages WHERE last < ?", [before])


def page(connection: sqlite3.Connection, asked: SeenQuestion) -> SeenPage:
    """Returns the page that is asked for."""
    wanted, values = _wanted(asked)
    rest, order = "name > :name", "name"
    if asked.sort is SeenSort.FETCHED:
        rest, order = "(last, name) < (:last, :name)", "last DESC, name DESC"
    is_after = f" AND {rest}" if asked.after else ""
    rows = connection.execute(
        f"SELECT name, newest, last FROM packages WHERE {wanted}{is_after} ORDER BY {order} LIMIT :size",  # noqa: S608
        {**values, "size": asked.size, **(asked.after._asdict() if asked.after else {})},
    )
    found = [SeenPackage(*row) for row in rows]
    total = len(found)
    if asked.after or total == asked.size:
        (total,) = connection.execute(f"SELECT count(*) FROM packages WHERE {wanted}", values).fetchone()  # noqa: S608
    known = state(connection)
    return SeenPage(found, total, known.near if known.whole is not None else None)


def _wanted(asked: SeenQuestion) -> tuple[str, dict[str, str]]:
    """The condition for what is asked for, and its values."""
    scopes = {f"scope{number}": f"{scope}/" for number, scope in enumerate(asked.scopes)}
    conditions = [f"substr(name, 1, length(:{key})) <> :{key}" for key in scopes]
    if asked.text:
        conditions.append(r"name LIKE :pattern ESCAPE '\'")
        scopes["pattern"] = "%" + re.sub(r"[%_\\]", r"\\\g<0>", asked.text) + "%"
    return " AND ".join(conditions) or "TRUE", scopes
