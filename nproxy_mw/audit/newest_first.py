"""The index of audit events from its newest entry on. A folder is listed when its turn comes, so a page lists few.

Where each listing is a request, a folder with few keys is listed whole. Where it is a look into a folder of this
machine, the folders themselves tell which there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from operator import attrgetter

from nproxy_mw.audit.index import DEPTHS, VARIOUS, IndexEntry, entries_of
from nproxy_mw.storage.layout import ObjectKind
from nproxy_mw.storage.listing import list_names
from nproxy_mw.storage.port import Storage

FEW = 1000
"""Keys that a folder may have to be listed whole. An S3 engine lists as many at once."""

_FIRST_YEAR = 2020
"""No event is older than this project."""

_PARTS = (range(1, 13), range(1, 32), range(24))  # in a year, a month, a day
_PAGE = 256  # names that are put in order first: a page of a busy hour needs no more


def entries_before(storage: Storage, bound: str) -> Iterator[IndexEntry]:
    """Yields the entries whose cursors are below *bound*, newest first. Folders are listed when they are reached."""
    each = (_newest_first(storage, kind, bound) for kind in DEPTHS)
    merged = heapq.merge(*each, key=attrgetter("cursor"), reverse=True)
    return (entry for entry in merged if entry.key)


def _newest_first(storage: Storage, kind: ObjectKind, bound: str) -> Iterator[IndexEntry]:
    """The entries of one kind below *bound*. Most often a page is in the day of *bound*, or in the one before."""
    if list_names(storage, kind.folder) is not None:
        yield from _in_folders(storage, kind, (), bound)
        return
    day = _day_of(bound)
    if day is not None and day.year >= _FIRST_YEAR:
        for near in (day, day - timedelta(days=1)):
            yield from _below(storage, kind, (f"{near:%Y}", f"{near:%m}", f"{near:%d}"), bound)
        bound = f"{day - timedelta(days=1):%Y%m%d}"
    yield from _below(storage, kind, (), bound)


def _in_folders(storage: Storage, kind: ObjectKind, path: tuple[str, ...], bound: str) -> Iterator[IndexEntry]:
    """The entries below *bound* in the folder *path*, by the names in it and in those below it."""
    folder, above = "/".join((kind.folder, *path)), "".join(path)
    names = list_names(storage, folder) or []
    if len(path) == DEPTHS[kind]:
        yield from entries_of(kind, (f"{folder}/{name}" for name in _last_first(names, bound)))
        return
    digits = bound.replace("T", "")
    for name in sorted(filter(str.isdecimal, names), reverse=True):
        if f"{above}{name}" < digits:
            yield from _in_folders(storage, kind, (*path, name), bound)


def _last_first(names: Sequence[str], bound: str) -> Iterator[str]:
    """The names below *bound*, the last one first. Most often only the first few are asked for."""
    earlier = [name for name in names if name < bound]
    last = heapq.nlargest(_PAGE, earlier)
    yield from last
    if len(earlier) > len(last):
        yield from sorted(earlier, reverse=True)[len(last) :]


def _below(storage: Storage, kind: ObjectKind, path: tuple[str, ...], bound: str) -> Iterator[IndexEntry]:
    """The entries below *bound* in the folder *path*: it is listed whole if it has few, else one folder in it.

    Before that comes an entry without a key, which stands above them in order: so a merge with another index lists the
    folder only when it gets there.
    """
    yield IndexEntry("", min(f"{''.join(path[:3])}{'T'.join(['', *path[3:]])}~", bound), VARIOUS)
    is_last = len(path) == DEPTHS[kind]
    found = list(islice(storage.list("/".join((kind.folder, *path))), None if is_last else FEW + 1))
    if is_last or len(found) <= FEW:
        yield from (entry for entry in entries_of(kind, sorted(found, reverse=True)) if entry.cursor < bound)
        return
    for part in _parts_of(path, bound.replace("T", "")):
        yield from _below(storage, kind, (*path, part), bound)


def _parts_of(path: tuple[str, ...], bound: str) -> Iterator[str]:
    """The names of the folders in *path* that can hold entries below *bound*, digits only; the newest first."""
    above, parts = "".join(path), _PARTS[len(path) - 1] if path else range(_FIRST_YEAR, int(bound[:4]) + 1)
    return (f"{number:02}" for number in reversed(parts) if f"{above}{number:02}" < bound)


def _day_of(bound: str) -> date | None:
    try:
        return datetime.strptime(bound[:8], "%Y%m%d").date()  # noqa: DTZ007
    except (ValueError, OverflowError):
        return None
