"""Pages of the audit trail, newest event first: from the index by time, or from the chain of one package."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Any, TypeAlias

from msgspec import Struct

from nproxy_mw.audit import index
from nproxy_mw.audit.index import IndexEntry, cursor_of
from nproxy_mw.audit.newest_first import entries_before
from nproxy_mw.audit.package_chain import NEWER
from nproxy_mw.errors import BadRequest, invalid_cursor
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import compact, timestamp

EventPage: TypeAlias = tuple[list[dict[str, Any]], str | None]
"""Events, newest first, and the cursor to give as *after* for the next page; None when there is none."""

MAX_LIMIT = 200
"""Events on one page at most."""

MAX_OPENED = 400
"""Objects of the index opened for one page at most: a page may be short and have a cursor to continue from."""

MAX_PASSED = 20_000
"""Keys of the index looked at for one page at most."""

AHEAD = timedelta(hours=1)
"""How far the clock of another host may be ahead of ours. What it wrote is shown all the same."""


class EventFilter(Struct, frozen=True):
    """Which events are wanted: all that fit everything that is given. *since* belongs to them, *until* does not.

    Those of a *package* are about it, or name it among others.
    """

    kinds: Collection[str] | None = None
    package: str | None = None
    by: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, event: Json) -> bool:
        """Returns whether *event* is wanted."""
        time = str(event.get("time"))
        return (
            (self.kinds is None or event.get("event") in self.kinds)
            and (self.package is None or _is_about(event, self.package))
            and self.by in (None, event.get("by"))
            and (self.since is None or time >= timestamp(self.since))
            and (self.until is None or time < timestamp(self.until))
        )

    def may_be_in(self, entry: IndexEntry) -> bool:
        """Returns whether the object under *entry* can hold events that are wanted."""
        is_about = self.package is None or index.may_be(entry.package, self.package)
        if not is_about or not (self.by is None or index.may_be(entry.by, self.by)):
            return False
        kinds = entry.kinds
        return self.kinds is None or not kinds or any(kind in self.kinds for kind in kinds)

    def asks_for_changes_of_packages(self) -> bool:
        """Returns whether events are wanted that the chains of packages hold."""
        return self.kinds is None or any(kind.startswith("package.") for kind in self.kinds)


def checked(after: str | None, limit: int) -> str | None:
    """Returns the cursor that *after* spells, None when there is none, for a page of *limit* events.

    Raises:
        BadRequest: *after* is not a cursor, or *limit* is out of bounds.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadRequest(f"A page has between 1 and {MAX_LIMIT} events.", code="invalid-limit")
    cursor = index.cursor_in(after) if after is not None else None
    if after is not None and cursor is None:
        raise invalid_cursor()
    return cursor


def lies_ahead(cursor: str, now: datetime) -> bool:
    """Returns whether *cursor* is of a time that no page can have shown yet."""
    return cursor[:8] > f"{now + timedelta(days=1):%Y%m%d}"


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Raises `BadRequest` for a time that ends before it begins."""
    if since is not None and until is not None and since > until:
        raise BadRequest("This is later than the end of the time that is asked about.", code="invalid-span")


def page_of_index(storage: Storage, wanted: EventFilter, *, now: datetime, after: str | None, limit: int) -> EventPage:
    """Returns a page of the index on *storage*, an organization's own."""
    found: list[dict[str, Any]] = []
    opened, last, seen = 0, "", set[str]()
    for passed, entry in enumerate(entries_before(storage, _bound(wanted, now, after))):
        if len(found) >= limit or opened == MAX_OPENED or passed == MAX_PASSED:
            return _cut(found, limit, last)
        if wanted.since is not None and entry.cursor < _place(wanted.since):
            break
        last = entry.cursor
        if wanted.may_be_in(entry):
            opened += 1
            for event in reversed(index.read(storage, entry, naming=wanted.package or "")):
                if event.get("id") not in seen and (after is None or cursor_of(event) < after) and wanted.admits(event):
                    seen.add(str(event.get("id")))
                    found.append(event)
    return _cut(found, limit, None)


def page_of_chain(pieces: Iterable[Sequence[Any]], wanted: EventFilter, *, after: str | None, limit: int) -> EventPage:
    """Returns a page of a package's chain, in the order of the chain. *pieces*: see `package_chain.pieces_of`.

    Raises:
        BadRequest: *after* is the cursor of no event of the package.
        UnreadableObject: the chain is damaged, or of a newer version.
    """
    events = _newest_first(pieces)
    if after is not None and next(dropwhile(lambda event: cursor_of(event) != after, events), None) is None:
        raise invalid_cursor()
    found: list[dict[str, Any]] = []
    for event in events:
        if len(found) == limit:
            return found, cursor_of(found[-1])
        if wanted.admits(event):
            found.append(event)
    return found, None


def _is_about(event: Json, package: str) -> bool:
    packages = event.get("packages")
    return event.get("package") == package or (isinstance(packages, list) and package in packages)


def _cut(found: list[dict[str, Any]], limit: int, last: str | None) -> EventPage:
    """The page of what was found: more than fits on it when the last object held many events."""
    if len(found) > limit or (last is not None and len(found) == limit):
        return found[:limit], cursor_of(found[limit - 1])
    return found, last


def _newest_first(pieces: Iterable[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        for event in reversed(piece):
            if event == NEWER:
                raise documents.newer()
            if not isinstance(event, dict):
                raise documents.damaged()
            yield event


def _bound(wanted: EventFilter, now: datetime, after: str | None) -> str:
    """Where the page begins: below this cursor."""
    latest = now + AHEAD if wanted.until is None else min(wanted.until, now + AHEAD)
    return min(_place(latest), after or "~")


def _place(moment: datetime) -> str:
    """The cursor before all cursors of events at *moment*."""
    return compact(timestamp(moment))
