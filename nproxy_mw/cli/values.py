"""What the text of an option means. A parser raises `ValueError` with the end of the sentence of refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from nproxy_mw.npm.names import is_internal_scope
from nproxy_mw.restrictions import AddressRange, parse_pattern, parse_range
from nproxy_mw.times import parse_duration, parse_moment, utc_now
from nproxy_mw.whole_numbers import whole_number

_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@contextmanager
def refused_as(sentence: str) -> Iterator[None]:
    """Raises `ValueError` with *sentence*, the end of the sentence of refusal, when the block raises one."""
    try:
        yield
    except ValueError as error:
        raise ValueError(sentence) from error


def switch(text: str) -> bool:
    """Returns whether a switch is on, as a variable says it.

    Raises:
        ValueError: *text* is neither yes nor no.
    """
    try:
        return _SWITCH[text.lower()]
    except KeyError as error:
        raise ValueError("is not true or false") from error


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Returns a parser for a whole number from *lowest* to *highest*."""

    def parse(text: str) -> int:
        number = whole_number(text, digits=19)
        if number is None or not lowest <= number <= highest:
            raise ValueError(f"is not a whole number from {lowest} to {highest}")
        return number

    return parse


def decimal(lowest: float, highest: float) -> Callable[[str], float]:
    """Returns a parser for a number from *lowest* to *highest*."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:  # NaN is not
            raise ValueError(f"is not a number from {lowest:g} to {highest:g}")
        return number

    return parse


def one_of(*values: str) -> Callable[[str], str]:
    """Returns a parser for one of *values*."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"is not {', '.join(values[:-1])} or {values[-1]}")
        return text

    return parse


def duration(text: str) -> timedelta:
    """Parses ``90s``, ``30m``, ``12h`` or ``7d``.

    Raises:
        ValueError: *text* is none of these.
    """
    with refused_as("is not a duration such as 90s, 30m, 12h or 7d"):
        return parse_duration(text)


def positive_duration(text: str) -> timedelta:
    """Parses a time as `duration` does.

    Raises:
        ValueError: *text* is not a time, or it is zero.
    """
    time = duration(text)
    if not time:
        raise ValueError("is not a time from now, like 30m, 12h or 90d")
    return time


def moment(text: str) -> datetime:
    """Parses a time such as ``2026-11-26T12:00:00Z``, a day in UTC such as ``2026-11-26``, or how long ago: ``7d``.

    Raises:
        ValueError: *text* is none of these.
    """
    with refused_as("is not a time such as 2026-11-26T12:00:00Z, 2026-11-26 or 7d"):
        return parse_moment(text, utc_now())


def scope(text: str) -> str:
    """Parses an npm scope.

    Raises:
        ValueError: no internal package can have it.
    """
    if not is_internal_scope(text):
        raise ValueError("is not an npm scope that packages can be published under: one looks like @acme")
    return text


def package_pattern(text: str) -> str:
    """Parses a pattern of packages: see `nproxy_mw.restrictions`.

    Raises:
        ValueError: *text* is none.
    """
    with refused_as("is not @scope, @scope/name or @scope/prefix-*, in lower case"):
        return parse_pattern(text)


def address_range(text: str) -> AddressRange:
    """Parses an address range, or one address.

    Raises:
        ValueError: *text* is neither.
    """
    with refused_as("is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32"):
        return parse_range(text)


def size(text: str) -> int:
    """Parses a number of bytes such as ``500M`` or ``20G``: K, M, G and T are powers of 1,024.

    Raises:
        ValueError: *text* is none.
    """
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    digits, unit = (text[:-1], units.get(text[-1:].upper())) if text[-1:].isalpha() else (text, 1)
    number = whole_number(digits, digits=15)
    if unit is None or number is None:
        raise ValueError("is not a number of bytes such as 500M or 20G")
    return number * unit
