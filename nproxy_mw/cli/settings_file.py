"""Settings in a file, as TOML or JSON."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from nproxy_mw.cli.files import read_file
from nproxy_mw.cli.options import UsageError
from nproxy_mw.json_values import parse_object
from nproxy_mw.times import timestamp

MAX_SIZE = 2 * 1024 * 1024  # bytes, as of a request's body


def read_settings(path: Path) -> dict[str, Any]:
    """Reads the settings in the file at *path*, in the management API's words.

    Raises:
        UsageError: it cannot be read, is too large, or is not TOML.
        BadRequest: it is not a JSON object, or one with more than one reading.
    """
    data = read_file(path, MAX_SIZE)
    if path.suffix != ".toml":
        return parse_object(data, f"The file {path}")
    try:
        document: dict[str, Any] = _with_text_times(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The file {path} is not TOML: {error}.") from error
    return document


def _with_text_times(value: Any) -> Any:
    """Returns *value* with TOML's times as text, which the settings want."""
    if isinstance(value, dict):
        return {key: _with_text_times(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_text_times(one) for one in value]
    if isinstance(value, datetime):
        return timestamp(value) if value.tzinfo else value.isoformat()
    return value
