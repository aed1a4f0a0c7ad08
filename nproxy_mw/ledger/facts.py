"""What the ledger holds: one fact per day, version, token and address. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from nproxy_mw.times import from_unix, timestamp

FEW = 50
"""Packages whose rows are looked for one after the other. Of more, all rows are decoded."""

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


_Row: TypeAlias = tuple[str, str, str, str, int, float, float]


class _Stored(msgspec.Struct):
    format: int
    installs: list[_Row]
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


def decode(data: bytes, packages: Collection[str] | None = None) -> LedgerPart:
    """Returns the part that `encode` stored; of *packages* alone, unless it is None.

    Raises:
        ValueError: the bytes are damaged, or of a format that this version does not know.
    """
    if packages is not None and len(packages) <= FEW and data.startswith(_BEGINNING):
        return _picked(data, packages)
    stored = _WHOLE.decode(data)
    if stored.format != FORMAT:
        raise ValueError("The ledger was written by another version of this program.")
    rows = (row for row in stored.installs if packages is None or row[0] in packages)
    return _part(rows, stored.of)


def _part(rows: Iterable[_Row], of: Iterable[str]) -> LedgerPart:
    return LedgerPart({InstallKey(*row[:4]): Count(*row[4:]) for row in rows}, tuple(of))


def _picked(data: bytes, packages: Iterable[str]) -> LedgerPart:
    """The part that `encode` stored, without decoding the rows about other packages: there are thousands of them.

    No string holds what is looked for, because a quotation mark in a string is escaped.
    """
    end = data.rfind(_END)
    if end < 0 or not data.endswith(b"]}"):
        raise ValueError("The end of an object of the ledger is missing.")
    of = _OF.decode(data[end + len(_END) - 1 : -1])
    return _part((row for package in packages for row in _rows_of(package, data, end + 1)), of)


def _rows_of(package: str, data: bytes, stop: int) -> Iterator[_Row]:
    """Yields the rows about *package* in JSON without spaces, up to the place *stop*."""
    beginning = b"[" + msgspec.json.encode(package) + b","
    place = data.find(beginning, 0, stop)
    while place >= 0:
        end = data.find(b"]", place, stop)
        while (row := _row(data[place : end + 1])) is None:  # the bracket stands within a string
            end = data.find(b"]", end + 1, stop)
            if end < 0:
                raise ValueError("A row of the ledger has no end.")
        yield row
        place = data.find(beginning, end, stop)


def _row(data: bytes) -> _Row | None:
    try:
        return _ROW.decode(data)
    except msgspec.DecodeError:
        return None


_BEGINNING = b'{"format":1,"installs":['
_END = b'],"of":['
_WHOLE, _OF = msgspec.json.Decoder(_Stored), msgspec.json.Decoder(list[str])
_ROW: msgspec.json.Decoder[_Row] = msgspec.json.Decoder(_Row)


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
        yield Install(key, count.times, from_unix(count.first), from_unix(count.last))
