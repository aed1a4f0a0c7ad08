"""What the ledger holds: one fact per day, version, token and address. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from nproxy_mw.times import timestamp

FORMAT = 1
"""Of the stored JSON. A reader refuses a number it does not know."""


class InstallKey(NamedTuple):
    """Who fetched what. *token* is the public id of the API token, empty for a read without one."""

    package: str
    version: str
    token: str
    ip: str


class Count(msgspec.Struct):
    """How often within one day, and when first and last, in seconds of Unix time."""

    times: int
    first: float
    last: float

    def add(self, other: Count) -> None:
        """Takes *other* in."""
        self.times += other.times
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class Install(NamedTuple):
    """One fact: *key* was fetched *times* times on one day, between *first* and *last*."""

    key: InstallKey
    times: int
    first: datetime
    last: datetime

    def to_document(self) -> dict[str, Any]:
        """Returns the fact as the management API shows it."""
        return {
            **self.key._asdict(),
            "times": self.times,
            "first": timestamp(self.first),
            "last": timestamp(self.last),
        }


class _Stored(msgspec.Struct):
    format: int
    installs: list[tuple[str, str, str, str, int, float, float]]
    of: list[str] = []


Counts = dict[InstallKey, Count]
"""Facts of one day."""


class LedgerPart(NamedTuple):
    """One stored object: its facts, and the names of the objects that it stands for when it merged some."""

    counts: Counts
    of: tuple[str, ...] = ()


def encode(counts: Counts, of: Iterable[str] = ()) -> bytes:
    """Returns a part as it is stored: one row per fact."""
    rows = [(*key, count.times, count.first, count.last) for key, count in counts.items()]
    return msgspec.json.encode(_Stored(FORMAT, rows, list(of)))


def decode(data: bytes, packages: Container[str] | None = None) -> LedgerPart:
    """Returns the part that `encode` stored; of *packages* alone, unless it is None.

    Raises:
        ValueError: the bytes are damaged, or of a format that this version does not know.
    """
    stored = msgspec.json.decode(data, type=_Stored)
    if stored.format != FORMAT:
        raise ValueError("The ledger was written by another version of this program.")
    rows = stored.installs if packages is None else [row for row in stored.installs if row[0] in packages]
    return LedgerPart({InstallKey(*row[:4]): Count(*row[4:]) for row in rows}, tuple(stored.of))


def merge(into: Counts, counts: Counts) -> None:
    """Adds *counts* to *into*."""
    for key, count in counts.items():
        found = into.get(key)
        if found is None:
            into[key] = Count(count.times, count.first, count.last)
        else:
            found.add(count)


def installs(counts: Counts) -> Iterator[Install]:
    """Yields the facts of one day as values."""
    for key, count in counts.items():
        yield Install(key, count.times, _moment(count.first), _moment(count.last))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
