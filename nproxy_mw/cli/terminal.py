"""What a person reads in a terminal: rows in columns, JSON, counts of things; and nothing that moves its cursor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO

from nproxy_mw.errors import StorageUnavailable


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Prints *rows* under *titles*, in columns as wide as they need to be. *empty* is the sentence for no rows."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    cells = [[plain(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(document: Any) -> None:
    """Prints *document*, indented; in ASCII where standard output could not hold more."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(document, indent=2, ensure_ascii=not is_unicode))


def say(text: str, stream: TextIO) -> None:
    """Prints *text* of a server that runs on: *stream*, or its terminal, may be closed by now."""
    with suppress(OSError, ValueError):
        print(text, file=stream, flush=True)


def announce_stop(seconds: int) -> None:
    """Says that the server stops, and how long requests may go on."""
    say(f"Stopping: requests that are under way have {seconds} seconds.", sys.stderr)


def has_terminal() -> bool:
    """Returns whether this process belongs to a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def plain(cell: str) -> str:
    """Returns *cell* with a question mark for each control character, so that a terminal shows text and no more."""
    return "".join(character if character.isprintable() else "?" for character in cell)


def count(number: int, one: str, many: str = "") -> str:
    """Returns *number* with the name of the thing: ``1 version``, ``2 versions``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def survive_locale() -> None:
    """Lets the program print any text under any locale: what an encoding lacks is escaped, instead of ending it."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what a caller put in the place of it may not be a text file
            stream.reconfigure(errors="backslashreplace")


def about_storage(url: str, error: StorageUnavailable) -> str:
    """Returns which storage an error is about, and what the system says of it."""
    reason = getattr(error.__cause__, "strerror", None)
    return f"It is {url}{f' ({reason})' if reason else ''}: give another place with --storage."
