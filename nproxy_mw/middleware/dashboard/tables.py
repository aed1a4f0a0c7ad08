"""Tables as files: CSV for spreadsheets, and lines of JSON. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from nproxy_mw.middleware.dashboard.answers import Download

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Download:
    """Returns a file of comma-separated values, whose first line has the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(map(_cell, row) for row in rows)
    return Download(f"{name}.csv", "text/csv; charset=utf-8", text.getvalue().encode("utf-8", "replace"))


def json_file(name: str, documents: Iterable[Any]) -> Download:
    """Returns a file with a JSON document on each line."""
    lines = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in documents)
    return Download(f"{name}.jsonl", "application/x-ndjson", lines)


def _cell(value: Any) -> str:
    """One cell. Spreadsheets run what begins like a formula, so that gets a quote in front."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text
