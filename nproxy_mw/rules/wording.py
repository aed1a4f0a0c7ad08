"""Words that rules share: names from outside in a sentence, plurals, and moments that may lie beyond the calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

SHOWN = 3
"""Names that a sentence lists before it counts the others."""

LONGEST_NAME = 100  # characters


def listed(names: Iterable[str]) -> str:
    """Returns the first names of *names*, and how many more there are: ``a, b, c and 4 more``."""
    every = list(names)
    shown = ", ".join(plain(name, LONGEST_NAME) for name in islice(every, SHOWN))
    return f"{shown} and {len(every) - SHOWN} more" if len(every) > SHOWN else shown


def plain(text: str, longest: int) -> str:
    """Returns *text*, which may come from anywhere, on one line, printable, and of at most *longest* characters."""
    if len(text) <= longest and text.isprintable():
        return text
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * longest])
    short = " ".join(line.split())
    return short if len(short) <= longest else f"{short[: longest - 3]}..."


def counted(number: int, unit: str) -> str:
    """Returns a number with its unit: ``1 day``, ``7 days``."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def later(moment: datetime, delay: timedelta) -> datetime | None:
    """Returns *moment* + *delay*; None when the calendar has no such time."""
    try:
        return moment + delay
    except OverflowError:
        return None
