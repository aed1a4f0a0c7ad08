"""The audit trail of one organization: its administration's own chain, and the index of all its events.

Packages hang their events into chains of their own, in the same write as what they tell of, so publishers of different
packages never wait for each other. Everything else that happens is told here, in one chain that all hosts append to by
compare-and-swap. A long chain goes on in a new object: full ones are set aside, numbered, and never written again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit import events, index
from nproxy_mw.errors import Busy, Changed, Exists, Missing, NproxyError
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import CHAIN, SEGMENT
from nproxy_mw.storage.port import Storage, Stored
from nproxy_mw.times import Clock, utc_now

ADMINISTRATION = "administration"
"""The name of the chain beside the packages' own."""

FULL = 500
"""Events in one object of the chain: each append writes that object anew."""

ATTEMPTS = 40
"""An append always loses to another append that won, so this many hosts at once are served."""

REMEMBERED = 10_000
"""Chains of which one process remembers that it indexed their last change."""

# How far the clocks of two hosts may be apart: an event is not looked for in objects that are older by more than that.
_SKEW = 24 * 60 * 60 * 1000  # milliseconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Segment:
    """One object of the administration's chain. *previous* is the last hash of the segment before it."""

    number: int = 1
    previous: str = ""
    chain: Sequence[Json] = ()

    def document(self) -> dict[str, Any]:
        """The segment as it is stored."""
        return {"number": self.number, "previous": self.previous, "chain": self.chain}


class Trail:
    """Tells what happens in *org*. *storage* is the organization's own."""

    def __init__(self, storage: Storage, *, org: str, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.org = org
        self.clock = clock
        self._indexed: set[str] = set()  # heads of chains whose last change this process put into the index

    def new(self, kind: str, actor: Actor, **fields: Any) -> dict[str, Any]:
        """An event of this moment that is told nowhere yet: for the one who stores it beside what it tells of."""
        return events.new_event(kind, org=self.org, actor=actor, time=self.clock(), **fields)

    def record(self, kind: str, actor: Actor, **fields: Any) -> None:
        """Tells one event that is stored nowhere else.

        Raises:
            Busy: too many hosts are telling something at once.
        """
        self.append([self.new(kind, actor, **fields)])

    def append(self, told: Iterable[Json]) -> None:
        """Hangs events into the administration's chain, those that hang in its present object already left out.

        Raises:
            Busy: too many hosts are telling something at once.
        """
        told = list(told)
        for _ in range(ATTEMPTS):
            if self._append_once(told):
                return
        raise Busy("The audit trail is being written by too many at once: try again.")

    def settle(self, told: Iterable[Json]) -> int:
        """Hangs in those of *told* that no object of the chain holds: what a crash left untold. Answers how many.

        *told* are events as they were stored beside what they tell of.
        """
        untold = {event["id"]: event for event in told}
        for segment in self.segments() if untold else ():
            ids = _ids(segment.chain)
            untold = {key: event for key, event in untold.items() if key not in ids}
            # Nothing is hung in before it happened: an object whose newest event is older by far holds none of these.
            if not untold or (ids and _milliseconds(max(ids)) < _milliseconds(min(untold)) - _SKEW):
                break
        if untold:
            self.append(untold.values())
        return len(untold)

    def index(self, chain: Sequence[Json], before: int) -> None:
        """Puts the events of a chain that was stored just now into the index; *before* of them were there already.

        So are those of the change before, unless it was made here: whoever made it may have been killed between the
        chain and the index. A failure is logged, and mended at the next change, or at the next start of a server.
        """
        last, head = events.head(chain[:before]), events.head(chain)
        told = chain[before:] if last in self._indexed else [*events.last_change(chain[:before]), *chain[before:]]
        self._indexed.discard(last)
        if len(self._indexed) >= REMEMBERED:
            self._indexed.clear()
        if not [event for event in told if not self._index(event)]:
            self._indexed.add(head)

    def _index(self, event: Json) -> bool:
        try:
            index.write(self.storage, event)
        except NproxyError as error:
            _log.warning("event %s is missing in the audit index: %s", event["id"], error)
            return False
        return True

    def page(
        self, after: str | None = None, limit: int = 50, event: str | None = None, package: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Answers events, newest first, and the cursor of the next page. Raises `BadRequest`."""
        return index.page(self.storage, now=self.clock(), after=after, limit=limit, event=event, package=package)

    def chain(self) -> list[Json]:
        """The administration's whole chain, oldest first. Objects that were removed are simply not there."""
        return [event for segment in reversed(list(self.segments())) for event in segment.chain]

    def segments(self) -> Iterator[Segment]:
        """The objects of the chain, newest first, one read each."""
        segment = self._segment(CHAIN.key())
        yield segment
        for number in range(segment.number - 1, 0, -1):
            yield self._segment(SEGMENT.key(number))

    def _append_once(self, told: Sequence[Json]) -> bool:
        stored = self._read(CHAIN.key())
        segment = _decode(stored)
        present = _ids(segment.chain)
        missing = [event for event in told if event["id"] not in present]
        if not missing:
            return True
        if stored and len(segment.chain) >= FULL and self._archive(segment.number, stored):
            segment = Segment(segment.number + 1, events.head(segment.chain))
        chain = events.extend(segment.chain, missing, previous=segment.previous)
        data = documents.encode(Segment(segment.number, segment.previous, chain).document())
        try:
            if stored:
                self.storage.replace(CHAIN.key(), data, stored.revision)
            else:
                self.storage.create(CHAIN.key(), data)
        except (Exists, Changed):
            return False
        self.index(chain, len(chain) - len(missing))
        return True

    def _archive(self, number: int, stored: Stored) -> bool:
        """Sets a full object aside. Nobody appends to a full one, so all who try at once write the same bytes."""
        try:
            self.storage.create(SEGMENT.key(number), stored.data)
        except Exists:
            return self.storage.read(SEGMENT.key(number)).data == stored.data
        return True

    def _segment(self, key: str) -> Segment:
        return _decode(self._read(key))

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
    """The identifiers in a stored chain. Whatever was done to it, the trail goes on, and `verify` tells."""
    return {str(event["id"]) for event in chain if isinstance(event, dict) and "id" in event}


def _milliseconds(event_id: str) -> int:
    try:
        return int(event_id[:12], 16)
    except ValueError:
        return 0
