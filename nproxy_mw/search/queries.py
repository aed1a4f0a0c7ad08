"""What is read from an index: search results in their order, and pages of the list of packages."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

import orjson

from nproxy_mw.json_values import Json
from nproxy_mw.npm.search import Query
from nproxy_mw.search import tables
from nproxy_mw.search.terms import base_of, expression, expression_in_names, expression_of_beginnings

WINDOW = 2000
"""How many packages are ranked of each kind: those whose names begin with the phrase, those with all words in their
names, and any others. A search that more packages fit counts them all, and shows these."""

# A name tells more of a package than its description. Tags have no rank.
_CANDIDATES = """
SELECT * FROM (
    SELECT rowid AS id, bm25(terms, 10.0, 1.0, 0.0) AS score, {in_name} AS in_name
    FROM terms WHERE terms MATCH :{expression} LIMIT :window
)"""
_RANKED = """
WITH found AS (SELECT id, min(score) AS score, max(in_name) AS in_name FROM ({candidates}) GROUP BY id)
SELECT summary FROM found JOIN packages USING (id)
ORDER BY base = :base DESC, substr(base, 1, length(:base)) = :base DESC, deprecated, in_name DESC, round(score, 2), name
LIMIT :size OFFSET :first"""
_LISTED = "SELECT summary FROM packages WHERE summary IS NOT NULL"
_COUNT = "SELECT count(*) FROM packages WHERE summary IS NOT NULL"


class Position(NamedTuple):
    """Where a page begins: after the package *name*, which was changed last at *modified*."""

    name: str
    modified: str = ""


class Sort(StrEnum):
    """The orders of the list of packages."""

    NAME = "name"
    UPDATED = "updated"
    """The last changed package first."""


@dataclass(frozen=True, slots=True)
class Found:
    """A part of what was asked for, as summaries, and how many there are in all.

    *is_complete* is False while the index is made for the first time and lacks packages.
    """

    summaries: Sequence[Json]
    total: int
    is_complete: bool


Ask: TypeAlias = Callable[[sqlite3.Connection], Found]
"""A question to an index."""


def search(connection: sqlite3.Connection, query: Query, first: int, size: int) -> Found:
    """Returns *size* of the packages that fit *query*, from the number *first* on (0 is the best).

    The package of the name that was typed comes first, then names that begin so; then those with all words in their
    names, then the others. Within each, deprecated packages come last.
    """
    wanted = expression(query)
    if not wanted and query.phrase:  # marks alone are in no name
        return Found([], 0, is_complete=True)
    if not wanted:
        rows = connection.execute(f"{_LISTED} ORDER BY name LIMIT ? OFFSET ?", [size, first])
        return _found(connection, rows, _COUNT, {})
    expressions = {
        "beginnings": expression_of_beginnings(query),
        "names": expression_in_names(query),
        "anywhere": wanted,
    }
    candidates = [
        _CANDIDATES.format(expression=kind, in_name=int(kind == "names")) for kind, text in expressions.items() if text
    ]
    rows = connection.execute(
        _RANKED.format(candidates=" UNION ALL ".join(candidates)),
        {**expressions, "base": base_of(query.phrase), "window": WINDOW, "size": size, "first": first},
    )
    return _found(connection, rows, "SELECT count(*) FROM terms WHERE terms MATCH :wanted", {"wanted": wanted})


def page(connection: sqlite3.Connection, sort: Sort, after: Position | None, text: str, size: int) -> Found:
    """Returns the *size* packages that come after *after*; with *text*, of those that have it in their names."""
    has_text = " AND instr(lower(name), :text)" if text else ""
    values = {"text": text.lower(), "size": size, **(after._asdict() if after else {})}
    if sort is Sort.NAME:
        rest, order = "name > :name", "name"
    else:
        rest, order = "(modified, name) < (:modified, :name)", "modified DESC, name DESC"
    is_after = f" AND {rest}" if after else ""
    rows = connection.execute(f"{_LISTED}{is_after}{has_text} ORDER BY {order} LIMIT :size", values)
    return _found(connection, rows, f"{_COUNT}{has_text}", values)


def _found(connection: sqlite3.Connection, rows: Iterable[tuple[str]], count: str, values: Mapping[str, Any]) -> Found:
    summaries = [orjson.loads(summary) for (summary,) in rows]
    total: int = connection.execute(count, values).fetchone()[0]
    return Found(summaries, total, is_complete=tables.state(connection).compared is not None)
