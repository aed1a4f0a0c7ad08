"""Rows and documents as text in files: CSV for spreadsheets, and lines of JSON. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import orjson

CSV = "text/csv; charset=utf-8"
JSON_LINES = "application/x-ndjson"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Returns *rows* as lines of comma-separated values."""
    text = io.StringIO()
    csv.writer(text).writerows(map(_cell, row) for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def json_lines(documents: Iterable[Any]) -> bytes:
    """Returns *documents*, each on a line of its own."""
    return b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in documents)


def _cell(value: Any) -> str:
    """One cell. Spreadsheets run what begins like a formula, so that gets a quote in front."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text
