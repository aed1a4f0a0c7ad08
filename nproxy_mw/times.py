"""Times: the one spelling in which every moment is stored, compared and shown, and the one of durations.

A moment is ISO 8601 in UTC with milliseconds, ``2026-11-22T10:15:30.123Z``, as npm writes the ``time`` of a packument.
Texts of this form sort as their moments do. A duration is a whole number and a unit, ``12h``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Returns the present moment with a time zone."""

_DURATION = re.compile(r"([0-9]{1,5})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def utc_now() -> datetime:
    """Returns the present moment: the clock in use outside tests."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """Returns *moment*, given in any time zone, in the form above.

    Raises:
        ValueError: *moment* has no time zone, so nobody can say when it was.
    """
    if moment.tzinfo is None:
        raise ValueError("A moment needs its time zone.")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Returns the moment that *text* names: ISO 8601 with ``Z`` or an offset, at most microseconds, in any precision.

    Raises:
        ValueError: it is not such a time, has no zone, or lies at an edge of the calendar that has no time in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1 < moment.year < 9999:
        raise ValueError("That is not a time with its zone, such as 2027-01-31T00:00:00Z.")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)  # asked at each version of a packument


def time_in(value: Any) -> datetime | None:
    """Returns the moment that *value* names, as `parse_time` does; None when it names none, or is no text."""
    try:
        return parse_time(value)
    except (TypeError, ValueError):
        return None


def times_in(texts: Mapping[str, str]) -> dict[str, datetime | None]:
    """Returns `time_in` of each text: of thousands, most of which are as npm writes them."""
    try:
        found = {key: datetime.fromisoformat(text) for key, text in texts.items()}
    except ValueError:
        return {key: time_in(text) for key, text in texts.items()}
    if all(moment.tzinfo is UTC and 1 < moment.year < 9999 for moment in found.values()):
        return {**found}
    return {key: time_in(text) for key, text in texts.items()}


def timestamp_or_none(moment: datetime | None) -> str | None:
    """Returns `timestamp` of *moment*; None for None."""
    return None if moment is None else timestamp(moment)


def from_timestamp(text: str) -> datetime:
    """Returns the moment that `timestamp` wrote, at whatever edge of the calendar.

    Raises:
        ValueError: it is no time, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("A moment needs its time zone.")
    return moment


def from_timestamp_or_none(text: str | None) -> datetime | None:
    """Returns `from_timestamp` of *text*; None for None, and for an empty text."""
    return from_timestamp(text) if text else None


def from_unix(seconds: float) -> datetime:
    """Returns the moment *seconds* after the beginning of Unix time."""
    return datetime.fromtimestamp(seconds, UTC)


def compact(text: str) -> str:
    """Returns a timestamp in ISO 8601's basic form, ``20261122T101530.123Z``, which stands in keys and sorts alike."""
    return text.replace("-", "").replace(":", "")


def parse_moment(text: str, now: datetime) -> datetime:
    """Returns the moment that a person typed: as `parse_time`, a day in UTC like 2026-11-26, or how long ago, like 7d.

    A time may be copied from a page, with a space in the place of the ``T``.

    Raises:
        ValueError: it is none of these.
    """
    if _DURATION.fullmatch(text):
        return now - parse_duration(text)
    text = text.replace(" ", "T")
    return parse_time(text if "T" in text else f"{text}T00:00:00Z")


def parse_duration(text: str) -> timedelta:
    """Returns the duration that *text* names: a whole number below 100,000 and ``s``, ``m``, ``h`` or ``d``.

    Raises:
        ValueError: it is not such a duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("That is not a duration such as 90s, 30m, 12h or 7d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
