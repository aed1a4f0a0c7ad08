"""The audit trail of one organization: the chain of its administration, and the index of all its events.

Each package keeps its events in a chain of its own, written together with the change they record, so publishers of
different packages never wait for each other. All other events are in one chain, which every host appends to by
compare-and-swap. A long chain continues in a new segment: a full one is set aside under a number, and never written
again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Struct

from nproxy_mw.access import Actor
from nproxy_mw.audit import events, index, pages
from nproxy_mw.audit.dirty import Cover, DirtyMarks
from nproxy_mw.audit.events import Stamp
from nproxy_mw.audit.package_chain import pieces_of
from nproxy_mw.audit.pages import EventFilter, EventPage
from nproxy_mw.errors import Busy, Changed, Exists, Missing, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import CHAIN, RECORD, SEGMENT
from nproxy_mw.storage.port import Storage, Stored, is_key
from nproxy_mw.times import Clock, utc_now

ADMINISTRATION = "administration"
"""The name of the chain that belongs to no package."""

FULL = 500
"""Events in one segment of the chain: each append writes the whole segment."""

ATTEMPTS = 40
"""An append always loses to another append that won, so this many hosts at once are served."""

_REMEMBERED = 10_000
"""Events that one process tries to put into the index again; later ones are left to the next start."""

# How far the clocks of two hosts may be apart: an event is not looked for in segments that are older by more than that.
_SKEW = 24 * 60 * 60 * 1000  # milliseconds
_log = logging.getLogger(__name__)


class Segment(Struct, frozen=True):
    """One object of the administration's chain. *previous* is the last hash of the segment before it."""

    number: int = 1
    previous: str = ""
    chain: Sequence[Json] = ()

    def to_document(self) -> dict[str, Any]:
        """Returns the segment as it is stored."""
        return {"number": self.number, "previous": self.previous, "chain": self.chain}


class Trail:
    """Records what happens in *org*. *storage* is the organization's own."""

    def __init__(self, storage: Storage, *, org: str, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.org = org
        self.clock = clock
        self.dirty = DirtyMarks(storage, clock=clock)
        self._unindexed: list[Json] = []  # events whose place in the index could not be written

    def stamp(self, actor: Actor) -> Stamp:
        """Returns the stamp for the events of one change that *actor* makes now."""
        return Stamp(self.org, actor, self.clock())

    def record(self, kind: str, actor: Actor, **fields: Any) -> None:
        """Appends an event that is stored nowhere else. *fields* are named as they are stored, in camelCase.

        Raises:
            Busy: too many hosts append at once.
            StorageUnavailable: the chain cannot be read or written.
        """
        self.append(self.stamp(actor).events([(kind, fields)]))

    def append(self, new: Iterable[Json]) -> None:
        """Appends events to the administration's chain. Those that its newest segment holds already are left out.

        Raises:
            Busy: too many hosts append at once.
            StorageUnavailable: the chain cannot be read or written.
        """
        with self.dirty.covering() as cover:
            self._append({event["id"]: event for event in new}, cover)

    def _append(self, wanted: dict[str, Json], cover: Cover) -> None:
        ids, first_seen = wanted.keys(), 0  # and the number of the newest segment at the first attempt
        for attempt in range(ATTEMPTS):
            segment, stored = self._newest()
            first_seen = first_seen or segment.number
            wanted = self._without_appended(wanted, segment, first_seen)
            if not wanted:
                if attempt:  # the write before was carried out after all, or another process appended the same
                    self._index_found(ids, segment, first_seen)
                return
            cover.begin()
            if self._append_once(segment, stored, list(wanted.values())):
                return
        raise Busy("The audit trail is being written by too many at once: try again.")

    def append_pending(self, recorded: Iterable[Json]) -> int:
        """Appends those of *recorded* that the chain lacks, because a crash kept them from it; returns how many.

        *recorded* are events as they were stored together with what they record.

        Raises:
            Busy: too many hosts append at once.
            StorageUnavailable: the chain cannot be read or written.
        """
        pending = {event["id"]: event for event in recorded}
        for segment in self._segments_since(_milliseconds(min(pending))) if pending else ():
            ids = _ids(segment.chain)
            pending = {key: event for key, event in pending.items() if key not in ids}
            if not pending:
                break
        if pending:
            self.append(pending.values())
        return len(pending)

    def index(self, chain: Sequence[Json], before: int, *, storage: Storage | None = None) -> None:
        """Puts the events of a chain that was just stored into the index. *before* is how many it held until then.

        The caller covers this and the write before it with a mark (`DirtyMarks.covering`). A failure is logged; the
        next change of this process or the next start makes up for it.
        """
        failed, self._unindexed = self._unindexed, []
        new = [*failed, *chain[before:]]
        try:
            index.write(storage or self.storage, new)
        except NproxyError as error:
            _log.warning("event %s is missing in the audit index: %s", new[-1]["id"], error)
            self._unindexed = [*self._unindexed, *new][:_REMEMBERED]
            self.dirty.spoil()

    def page(
        self,
        after: str | None = None,
        limit: int = 50,
        event: str | Collection[str] | None = None,
        package: str | None = None,
        *,
        by: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> EventPage:
        """Returns events, newest first, and the cursor of the next page. *event* is one kind or several.

        All filters hold at once; *since* is included, *until* is not. The changes of an internal *package* are read
        from its own chain, in the order of the chain; everything else from the index.

        Raises:
            BadRequest: *after* is not the cursor of a page, or *limit* is not between 1 and `pages.MAX_LIMIT`.
            StorageUnavailable: the storage cannot be read.
        """
        after = pages.checked(after, limit)
        wanted = EventFilter((event,) if isinstance(event, str) else event, package, by, since, until)
        if package is not None and is_key(RECORD.key(package)) and wanted.asks_for_changes_of_packages():
            with suppress(Missing):
                return pages.page_of_chain(pieces_of(self.storage, package), wanted, after=after, limit=limit)
        return pages.page_of_index(self.storage, wanted, now=self.clock(), after=after, limit=limit)

    def chain(self) -> list[Json]:
        """Returns the administration's whole chain, oldest first. Segments that were removed are missing from it."""
        return [event for segment in reversed(list(self.segments())) for event in segment.chain]

    def holds(self, stamp: Stamp) -> bool:
        """Returns whether the chain holds the events of *stamp*."""
        return any(stamp.is_in(segment.chain) for segment in self._segments_since(_milliseconds(stamp.id())))

    def is_empty(self) -> bool:
        """Returns whether nothing was ever recorded here, or everything is gone."""
        return index.is_empty(self.storage)

    def segments(self) -> Iterator[Segment]:
        """Yields the segments of the chain, newest first. Each costs one read."""
        segment, _ = self._newest()
        yield segment
        yield from self._segments_before(segment.number)

    def chain_since(self, moment: datetime) -> list[Json]:
        """Returns the end of the administration's chain, with all that was appended at *moment* or later."""
        segments = list(self._segments_since(int(moment.timestamp() * 1000)))
        return [event for segment in reversed(segments) for event in segment.chain]

    def _segments_since(self, milliseconds: int) -> Iterator[Segment]:
        """Yields the segments that may hold an event of that time or later, newest first.

        No event is appended before it happened, so none is in a segment whose newest event is much older.
        """
        for segment in self.segments():
            yield segment
            ids = _ids(segment.chain)
            if ids and _milliseconds(max(ids)) < milliseconds - _SKEW:
                return

    def _segments_before(self, number: int, down_to: int = 1) -> Iterator[Segment]:
        for earlier in range(number - 1, down_to - 1, -1):
            yield _decode(self._read(SEGMENT.key(earlier)))

    def _newest(self) -> tuple[Segment, Stored | None]:
        stored = self._read(CHAIN.key())
        return _decode(stored), stored

    def _without_appended(self, wanted: dict[str, Json], newest: Segment, first_seen: int) -> dict[str, Json]:
        """Returns the events that are not in the chain. Since the first attempt, others may have begun new segments."""
        present = _ids(newest.chain)
        for segment in self._segments_before(newest.number, first_seen):
            present |= _ids(segment.chain)
        return {key: event for key, event in wanted.items() if key not in present}

    def _index_found(self, ids: Container[str], newest: Segment, first_seen: int) -> None:
        """Puts the events with these *ids* into the index, from the segments since *first_seen*."""
        segments = [newest, *self._segments_before(newest.number, first_seen)]
        chain = [event for segment in reversed(segments) for event in segment.chain]
        self.index([event for event in chain if isinstance(event, dict) and event.get("id") in ids], 0)

    def _append_once(self, segment: Segment, stored: Stored | None, new: Sequence[Json]) -> bool:
        """Tries to append *new*; returns whether it is in the chain now."""
        if stored and len(segment.chain) >= FULL and self._set_aside(segment.number, stored):
            segment = Segment(segment.number + 1, events.head(segment.chain))
        chain = events.extend(segment.chain, new, previous=segment.previous)
        data = documents.encode(Segment(segment.number, segment.previous, chain).to_document())
        try:
            if stored:
                self.storage.replace(CHAIN.key(), data, stored.revision)
            else:
                self.storage.create(CHAIN.key(), data)
        except (Exists, Changed):
            return False
        except StorageUnavailable:
            # The answer was lost, perhaps not the write.
            if self._without_appended({event["id"]: event for event in new}, self._newest()[0], segment.number):
                raise
        self.index(chain, len(chain) - len(new))
        return True

    def _set_aside(self, number: int, stored: Stored) -> bool:
        """Sets a full segment aside. Nobody appends to a full one, so all who try at once write the same bytes."""
        try:
            self.storage.create(SEGMENT.key(number), stored.data)
        except Exists:
            return self.storage.read(SEGMENT.key(number)).data == stored.data
        return True

    def _read(self, key: str) -> Stored | None:
        try:
            return self.storage.read(key)
        except Missing:
            return None


def _decode(stored: Stored | None) -> Segment:
    if stored is None:
        return Segment()
    document = documents.decode(stored.data)
    try:
        return Segment(document["number"], document["previous"], list(document["chain"]))
    except (KeyError, TypeError) as error:
        raise documents.damaged() from error


def _ids(chain: Sequence[Any]) -> set[str]:
    """Returns the identifiers in a stored chain. Whatever was done to it, the trail goes on; `verify` reports it."""
    return {str(event["id"]) for event in chain if isinstance(event, dict) and "id" in event}


def _milliseconds(event_id: str) -> int:
    try:
        return int(event_id[:12], 16)
    except ValueError:
        return 0
