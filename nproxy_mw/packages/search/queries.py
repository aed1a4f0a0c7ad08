"""What is read from an index: search results in their order, and pages of the list of packages."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson
from msgspec import Struct

from nproxy_mw.errors import invalid_cursor
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import names_in
from nproxy_mw.npm.search import Query
from nproxy_mw.packages.search import tables
from nproxy_mw.packages.search.terms import base_of, expression, expression_in_names, expression_of_name

WINDOW = 2000
"""How many packages are ranked by their words. Of more, that many are taken by their names alone."""

_PICK = "SELECT * FROM (SELECT rowid AS id, {} AS score FROM terms WHERE terms MATCH :{}{{within}} LIMIT :window)"
# A name tells more of a package than its description. Tags have no rank. To know how rare each word is, bm25 counts the
# packages that have it, which takes longer than to find those that have all.
_RANKED = _PICK.format("bm25(terms, 10.0, 1.0, 0.0)", "anywhere")
_BEST = """
SELECT summary FROM (SELECT id, min(score) AS score FROM ({}) GROUP BY id) JOIN packages USING (id)
ORDER BY base = :base DESC, substr(base, 1, length(:base)) = :base DESC, deprecated, round(score, 2), name
LIMIT :size OFFSET :first"""
_LISTED = "SELECT summary FROM packages WHERE summary IS NOT NULL"
_COUNT = "SELECT count(*) FROM packages WHERE summary IS NOT NULL"
_WITHIN = " AND rowid IN (SELECT id FROM packages WHERE {})"
_MATCHES = "SELECT count(*) FROM terms WHERE terms MATCH :anywhere{within}"
_TIME = re.compile(r"[0-9T:.Z-]{0,30}", re.ASCII)


class PagePosition(NamedTuple):
    """Where a page begins: after the package *name*, which was changed last at *modified*."""

    name: str
    modified: str = ""

    @classmethod
    def parse(cls, name: str, modified: str) -> PagePosition:
        """Returns the position that the page before gave. Raises `BadRequest` when no page gives it."""
        valid = next(names_in([name]), None)
        if valid is None or not _TIME.fullmatch(modified):
            raise invalid_cursor()
        return cls(str(valid), modified)


class PackageSort(StrEnum):
    """The orders of the list of packages."""

    NAME = "name"
    UPDATED = "updated"
    """The last changed package first."""


class FoundPackages(Struct, frozen=True):
    """A part of what was asked for, as summaries, and how many there are in all.

    *is_complete* is False while the index is made for the first time and lacks packages.
    """

    summaries: Sequence[Json]
    total: int
    is_complete: bool


class StoredAmount(Struct, frozen=True):
    """How many *packages* there are, and how many *bytes* their tarballs have.

    *counted* is when that was known to hold, in seconds of Unix time; None while the index is made for the first time
    and lacks packages.
    """

    packages: int
    bytes: int
    counted: float | None


def search(
    connection: sqlite3.Connection, query: Query, first: int, size: int, patterns: Sequence[str] = ()
) -> FoundPackages:
    """Returns *size* of the packages that fit *query*, from the number *first* on (0 is the best).

    The package of the name that was typed comes first, then names that begin so, then the others: rare words before
    common ones, and words in names before words in descriptions. Deprecated packages come last among their like. All
    that fit are counted. Of more than `WINDOW`, only some can be reached. With *patterns*, packages that fit none of
    them are not found.
    """
    anywhere = expression(query)
    if not anywhere:
        # Marks alone are in no name; nothing at all asks for everything.
        if query.phrase:
            return FoundPackages([], 0, is_complete=True)
        return _everything(connection, first, size, patterns)
    fits, globs = _fits(patterns)
    within = _WITHIN.format(fits) if fits else ""
    total = _number(connection, _MATCHES.format(within=within), anywhere=anywhere, **globs)
    values = {"base": base_of(query.phrase), "window": WINDOW, "size": size, "first": first, **globs}
    if total <= WINDOW:
        best = _BEST.format(_RANKED).format(within=within)
        return _found(connection, connection.execute(best, {**values, "anywhere": anywhere}), total)
    expressions = {
        "itself": expression_of_name(query, beginning=False),
        "beginnings": expression_of_name(query, beginning=True),
        "names": expression_in_names(query),
        "anywhere": anywhere,
    }
    picks = [_PICK.format(number, kind) for number, (kind, text) in enumerate(expressions.items()) if text]
    best = _BEST.format(" UNION ALL ".join(picks)).format(within=within)
    return _found(connection, connection.execute(best, {**values, **expressions}), total)


def _everything(connection: sqlite3.Connection, first: int, size: int, patterns: Sequence[str]) -> FoundPackages:
    fits, globs = _fits(patterns)
    within = f" AND ({fits})" if fits else ""
    values = {"size": size, "first": first, **globs}
    rows = connection.execute(f"{_LISTED}{within} ORDER BY name LIMIT :size OFFSET :first", values)
    return _found(connection, rows, _number(connection, f"{_COUNT}{within}", **globs))


def _fits(patterns: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Returns the condition for names that fit one of *patterns*, empty for none, and its values.

    A pattern has no mark that GLOB reads in another way: only a ``*`` at its end.
    """
    globs = {f"glob{number}": one if "/" in one else f"{one}/*" for number, one in enumerate(patterns)}
    return " OR ".join(f"name GLOB :{key}" for key in globs), globs


def page(
    connection: sqlite3.Connection, sort: PackageSort, after: PagePosition | None, text: str, size: int
) -> FoundPackages:
    """Returns the *size* packages that come after *after*; with *text*, of those that have it in their names."""
    has_text = r" AND name LIKE :pattern ESCAPE '\'" if text else ""
    if sort is PackageSort.NAME:
        rest, order = "name > :name", "name"
    else:
        rest, order = "(modified, name) < (:modified, :name)", "modified DESC, name DESC"
    is_after = f" AND {rest}" if after else ""
    values = {"pattern": _pattern(text), "size": size, **(after._asdict() if after else {})}
    rows = connection.execute(f"{_LISTED}{is_after}{has_text} ORDER BY {order} LIMIT :size", values).fetchall()
    is_all = after is None and len(rows) < size
    total = len(rows) if is_all else _number(connection, f"{_COUNT}{has_text}", pattern=values["pattern"])
    return _found(connection, rows, total)


def amount(connection: sqlite3.Connection) -> StoredAmount:
    """Returns how much is stored."""
    (size,) = connection.execute("SELECT coalesce(sum(size), 0) FROM packages").fetchone()
    state = tables.state(connection)
    counted = state.checked if state.compared is not None else None
    return StoredAmount(_number(connection, _COUNT), size, counted)


def names(connection: sqlite3.Connection) -> list[str]:
    """Returns the names of all packages that can be listed, in their order."""
    rows = connection.execute("SELECT name FROM packages WHERE summary IS NOT NULL ORDER BY name")
    return [name for (name,) in rows]


def _pattern(text: str) -> str:
    """Returns the pattern of LIKE for what has *text* in it."""
    return "%" + re.sub(r"[%_\\]", r"\\\g<0>", text) + "%"


def _number(connection: sqlite3.Connection, statement: str, **values: str) -> int:
    number: int = connection.execute(statement, values).fetchone()[0]
    return number


def _found(connection: sqlite3.Connection, rows: Iterable[tuple[str]], total: int) -> FoundPackages:
    is_complete = tables.state(connection).compared is not None
    return FoundPackages([orjson.loads(summary) for (summary,) in rows], total, is_complete=is_complete)
