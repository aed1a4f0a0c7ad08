"""The audit events by time: one object per event under a dated key. Derived from the chains, and repaired from them.

A key holds the event's time, identifier and kind, so a page is found by listing the days it covers, and events of one
kind without opening the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from nproxy_mw.errors import BadRequest, Exists, Missing
from nproxy_mw.json_values import Json
from nproxy_mw.storage.layout import INDEX
from nproxy_mw.storage.port import Storage

_FIRST_YEAR = 2020
"""No event is older than this project."""

MAX_LIMIT = 200
"""Events on one page at most."""

MAX_OPENED = 1000
"""Events opened for one page at most: for a rare package, a page may be short and have a cursor to continue from."""

_CURSOR = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{32}", re.ASCII)


def index_key(event: Json) -> str:
    """Returns the key under which the index keeps *event*."""
    time = str(event["time"])
    cursor = f"{time.replace('-', '').replace(':', '')}-{event['id']}"
    return INDEX.key(time[:10].replace("-", "/"), f"{cursor}-{event['event']}")


def write(storage: Storage, event: Json) -> bool:
    """Puts *event* into the index; returns whether it was missing there."""
    try:
        storage.create(index_key(event), orjson.dumps(event))
    except Exists:
        return False
    return True


def page(
    storage: Storage,
    *,
    now: datetime,
    after: str | None = None,
    limit: int = 50,
    kinds: Collection[str] | None = None,
    package: str | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """Returns events, newest first, and the cursor to give as *after* for the next page; None when there is none.

    Only events of *kinds*, and only those about *package* or naming it among others, where these are given.

    Raises:
        BadRequest: *after* is not a cursor, or *limit* is out of bounds.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"A page has between 1 and {MAX_LIMIT} events.", code="invalid-limit")
    if after is not None and not _CURSOR.fullmatch(after):
        raise BadRequest("That is not a cursor: give 'next' of the page before.", code="invalid-cursor")
    found: list[dict[str, Any]] = []
    opened, cursor = 0, None
    for key in _keys_before(storage, after, now):
        if len(found) == limit or opened == MAX_OPENED:
            return found, cursor
        cursor = _cursor_in(key)
        if kinds is not None and _kind_in(key) not in kinds:
            continue
        opened += 1
        read = _read(storage, key)
        if read is not None and (package is None or _is_about(read, package)):
            found.append(read)
    return found, None


def _is_about(event: Json, package: str) -> bool:
    """Whether *package* is the one that an event is about, or among those that it names."""
    packages = event.get("packages")
    return event.get("package") == package or (isinstance(packages, list) and package in packages)


def kinds_of(storage: Storage, day: date) -> Counter[str]:
    """Returns how many events of each kind a *day* in UTC has. None of them is opened.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    return Counter(map(_kind_in, storage.list(f"{INDEX.folder}/{day:%Y/%m/%d}")))


def _keys_before(storage: Storage, cursor: str | None, now: datetime) -> Iterator[str]:
    """Yields the keys of the index, newest first, a day at a time; only those older than *cursor* if one is given."""
    # The clock of another host may be a little ahead of ours, and its midnight earlier.
    tomorrow = (now + timedelta(days=1)).strftime("%Y/%m/%d")
    newest = min(_day_of(cursor), tomorrow) if cursor else tomorrow
    for day in _days(storage, newest):
        keys = sorted(storage.list(f"{INDEX.folder}/{day}"), reverse=True)
        yield from (key for key in keys if cursor is None or _cursor_in(key) < cursor)


def package_changes(storage: Storage, start: datetime, end: datetime) -> Iterator[str]:
    """Yields the keys of all events that changed a package between *start* and *end*, and of some around them."""
    for number in range((end.date() - start.date()).days + 1):
        day = (start + timedelta(days=number)).strftime("%Y/%m/%d")
        for key in storage.list(f"{INDEX.folder}/{day}"):
            if "-package." in key and not key.endswith("-package.signed.json"):
                yield key


def package_of(storage: Storage, key: str) -> str | None:
    """Returns the name of the package that the event under *key* is about; None when it cannot be read."""
    name = (_read(storage, key) or {}).get("package")
    return name if isinstance(name, str) else None


def _days(storage: Storage, newest: str) -> Iterator[str]:
    """Yields folders of days that may hold events, newest first; empty years and months cost one question each."""
    for year in range(int(newest[:4]), _FIRST_YEAR - 1, -1):
        if _is_empty(storage, f"{year}"):
            continue
        for month in _below(newest, [f"{year}/{number:02}" for number in range(12, 0, -1)]):
            if not _is_empty(storage, month):
                yield from _below(newest, [f"{month}/{number:02}" for number in range(31, 0, -1)])


def _below(newest: str, folders: Iterable[str]) -> Iterator[str]:
    return (folder for folder in folders if folder <= newest[: len(folder)])


def _is_empty(storage: Storage, folder: str) -> bool:
    return next(iter(storage.list(f"{INDEX.folder}/{folder}")), None) is None


def _read(storage: Storage, key: str) -> dict[str, Any] | None:
    try:
        event = orjson.loads(storage.read(key).data)
    except (Missing, ValueError):  # removed or damaged: verification reports it, a page goes on
        return None
    return event if isinstance(event, dict) else None


def _cursor_in(key: str) -> str:
    return "-".join(_name_in(key).split("-")[:2])


def _kind_in(key: str) -> str:
    return _name_in(key).split("-", 2)[-1]


def _name_in(key: str) -> str:
    parts = INDEX.parse(key)
    return parts[1] if parts else ""


def _day_of(cursor: str) -> str:
    return f"{cursor[:4]}/{cursor[4:6]}/{cursor[6:8]}"
