"""A JSON object whose every change is recorded in the audit trail.

Two objects cannot be written in one step, so the object carries the events of its last change in ``events``, written
together with it; then the events are appended to the chain. A crash between the two leaves pending events. They are
appended by the next change of the object, by a server that starts, or by ``nproxy-mw check --repair``, and always
before they are overwritten.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from operator import itemgetter
from typing import Any, TypeAlias

from msgspec import Struct, field

from nproxy_mw.access import Actor
from nproxy_mw.audit.dirty import Cover
from nproxy_mw.audit.events import AuditedChange, Stamp
from nproxy_mw.audit.trail import Trail
from nproxy_mw.copies import replace
from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.port import Storage

Step: TypeAlias = Callable[[Json | None, datetime], AuditedChange[Json | None]]
"""Given an object as it is stored, or None, and the time of the change: its next state and the facts to record.

A state of None means that nothing is to be written. A step that is tried again on another state must not remember
anything of the attempt before. It raises a `ClientError` when the change is refused.
"""

_log = logging.getLogger(__name__)


class AuditedObject(Struct, frozen=True):
    """The object under *key*, whose changes *trail* records. Fields that a newer version added to it are kept."""

    storage: Storage
    key: str
    trail: Trail

    def change(self, step: Step, actor: Actor) -> dict[str, Any] | None:
        """Makes the change that *step* describes, and records it as *actor*'s.

        Returns the object as it was written. Returns None when *step* wrote nothing and there were no pending events;
        with pending events, they are appended and the object is returned as it is.

        Once the object is written, the change is made: that its events cannot be appended just now is logged, and they
        stay pending.

        Raises:
            Busy: others changed the object at every attempt. Nothing is written.
            StorageUnavailable: the object cannot be read or written. It may have been written.
            ClientError: whatever *step* raises.
        """
        with self.trail.dirty.covering() as cover:
            change = _RecordedChange(self.trail, self.trail.stamp(actor), step, cover, self.trail.append_pending)
            documents.change(self.storage, self.key, change.next, is_done=change.is_done)
            if change.after is not None:
                self._append(change.events)
        return change.after if change.after is not None else change.completed

    def _append(self, events: Sequence[Json]) -> None:
        try:
            self.trail.append(events)
        except NproxyError as error:
            self.trail.dirty.spoil()
            _log.warning("%s was changed, and the audit trail does not show it yet: %s", self.key, error)


ChangeObject: TypeAlias = Callable[[str, Step], dict[str, Any] | None]
"""Changes the object under a key; returns it as it was written, or None when the step wrote nothing."""


@contextmanager
def changing_many(storage: Storage, trail: Trail, actor: Actor) -> Iterator[ChangeObject]:
    """Makes changes of many objects, each with one event, which are appended to the trail together at the end.

    So the chain is read and written once, not once for each object. Within, the changes may be made by several threads.
    Each is made as soon as its object is written, and raises as `AuditedObject.change`. A crash before the end leaves
    pending events in all of them, so a step carries the ``events`` of its object on. An error that leaves the block
    leaves what was changed before it changed, and told of.
    """
    shared, numbers, recorded = trail.stamp(actor), count(), list[Json]()
    with trail.dirty.covering() as cover:
        cover.begin()

        def change(key: str, step: Step) -> dict[str, Any] | None:
            # Events of one moment with successive ids are one object in the index.
            stamp = replace(shared, nonce=shared.nonce + next(numbers))
            one = _RecordedChange(trail, stamp, step, cover, recorded.extend)
            try:
                documents.change(storage, key, one.next, is_done=one.is_done)
            except StorageUnavailable:  # it may have been written
                trail.dirty.spoil()
                raise
            recorded.extend(one.events if one.after is not None else ())
            return one.after

        try:
            yield change
        except Exception:
            _append_together(trail, recorded)
            raise
        _append_together(trail, recorded)


def _append_together(trail: Trail, events: Sequence[Json]) -> None:
    try:
        trail.append_pending(sorted(events, key=itemgetter("id")))
    except NproxyError as error:
        trail.dirty.spoil()
        _log.warning("events that the audit trail does not show yet: %d: %s", len(events), error)


class _RecordedChange(Struct):
    """The attempts of one change. *after* and *events* are those of the last attempt.

    *append_pending* is given the events of the object before; it returns how many of them it appended.
    """

    trail: Trail
    stamp: Stamp
    step: Step
    cover: Cover
    append_pending: Callable[[Sequence[Json]], int | None]
    after: dict[str, Any] | None = None
    events: Sequence[Json] = field(default=())
    completed: dict[str, Any] | None = None  # an object that stays, after its pending events were appended

    def next(self, before: dict[str, Any] | None) -> dict[str, Any] | None:
        change = self.step(before, self.stamp.time)
        self.events = self.stamp.events(change.facts)
        appended = self.append_pending(_events_of(before)) if before else 0
        if change.after is None:
            self.after, self.completed = None, before if appended else None
        else:
            kept = {key: value for key, value in (before or {}).items() if key not in ("format", "events")}
            self.after = {**kept, **change.after, "events": [*change.after.get("events", ()), *self.events]}
            self.cover.begin()
        return self.after

    def is_done(self, found: Json) -> bool:
        """Whether this change was stored: *found* carries its events, or the writer who came next appended them."""
        return self.stamp.is_in(_events_of(found)) or self.trail.holds(self.stamp)


def _events_of(document: Json) -> Sequence[Json]:
    events = document.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) and "id" in event for event in events):
        raise documents.damaged()
    return events
