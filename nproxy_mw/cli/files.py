"""Files that a command is given: read whole, within a bound, and with a sentence for what is wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from nproxy_mw.cli.options import UsageError

STDIN = Path("-")


def read_file(path: Path, limit: int) -> bytes:
    """Reads a file of at most *limit* bytes; ``-`` is standard input.

    Raises:
        UsageError: it cannot be read, or is larger.
    """
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with path.open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read: {error.strerror}.") from error
    if len(data) > limit:
        raise UsageError(f"The file {path} is larger than {limit // 1024} KiB.")
    return data


def read_json(path: Path, limit: int) -> Any:
    """Reads a JSON file of at most *limit* bytes.

    Raises:
        UsageError: it cannot be read, is larger, or is not JSON.
    """
    try:
        return orjson.loads(read_file(path, limit))
    except orjson.JSONDecodeError as error:
        raise UsageError(f"The file {path} is not JSON: {error}.") from error
