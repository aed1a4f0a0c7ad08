"""Tables as files that a browser stores. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nproxy_mw.http.tables import CSV, JSON_LINES, csv_rows, json_lines
from nproxy_mw.middleware.dashboard.answers import Download


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Download:
    """Returns a file of comma-separated values, whose first line has the names of the columns."""
    return Download(f"{name}.csv", CSV, csv_rows([columns, *rows]))


def json_file(name: str, documents: Iterable[Any]) -> Download:
    """Returns a file with a JSON document on each line."""
    return Download(f"{name}.jsonl", JSON_LINES, json_lines(documents))
