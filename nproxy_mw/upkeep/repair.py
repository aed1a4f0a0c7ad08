"""Repairs what a killed process left half done: events that the audit trail does not hold yet, and gaps in its index.

A start looks where dirty marks say that something may be (`nproxy_mw.audit.dirty`): at what was stored since they were
written. Without the note that everything was looked at before, it looks at everything. All of this may be done at any
time, by several processes at once, and again: a chain takes an event once, and so does the index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from nproxy_mw.audit import dirty, events, index, verify
from nproxy_mw.audit.package_chain import pieces_of
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage.layout import ADMINISTRATOR, ORGANIZATION, RECORD, SYSTEM, TOKEN, ObjectKind, home
from nproxy_mw.storage.listing import list_with_times
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, timestamp, utc_now
from nproxy_mw.upkeep.check_state import DAMAGE_ERRORS, recorded_in, state_keys
from nproxy_mw.upkeep.progress import Progress

T = TypeVar("T")

_DAMAGE = (NproxyError, *DAMAGE_ERRORS)


class OutOfTime(Exception):
    """There was more to repair than the time allowed."""


def repair_trail(trail: Trail, progress: Progress) -> None:
    """Appends pending events to an organization's trail, and makes the index say what the chains say.

    Damaged objects are left as they are.
    """
    begun = trail.clock()
    _append_pending(trail, trail.storage, state_keys(trail.storage), progress)
    with suppress(StorageUnavailable):
        if repaired := verify.reindex(trail, verify.all_chains(trail)):
            progress.count("changes put into its index", repaired)
        dirty.note_mended(trail.storage, begun)


def repair_quickly(
    storage: Storage, seconds: float, monotonic: Callable[[], float] = time.monotonic, clock: Clock = utc_now
) -> Progress:
    """Repairs what crashes leave in a whole store, for as long as *seconds*; returns what was done.

    An index entry that differs from the chain is not the result of a crash: it is left to ``nproxy-mw check``.

    Raises:
        OutOfTime: some of the store was not looked at.
        StorageUnavailable: the storage cannot be read or written.
    """
    progress, end = Progress(), monotonic() + seconds

    def in_time(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if monotonic() > end:
                raise OutOfTime
            yield item

    for org in in_time([SYSTEM, *ORGANIZATION.names(storage)]):
        own, begun = home(storage, org), clock()
        if found := dirty.unshown(own, begun):
            _Look(storage, Trail(own, org=org, clock=clock), found.since, progress, in_time).look()
            if found.since is None:
                dirty.note_mended(own, begun)
            for key in found.dead:
                with suppress(Missing):
                    own.delete(key)
    return progress


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at what was stored since a moment in one organization; at all of it when *since* is None."""

    storage: Storage  # the whole one
    trail: Trail
    since: datetime | None
    progress: Progress
    in_time: Callable[[Iterable[Any]], Iterator[Any]]

    def look(self) -> None:
        own = self.trail.storage
        _append_pending(self.trail, self.storage, self.in_time(self._accounts()), self.progress, self.since)
        _append_pending(self.trail, own, self.in_time(self._states()), self.progress, self.since)
        keys = index.keys(own) if self.since is None else index.ListedFolders(own)
        if filled := verify.fill(own, self.in_time(self._chains()), keys):
            self.progress.count("changes put into its index", filled)

    def _accounts(self) -> Iterator[str]:
        if self.trail.org == SYSTEM:
            yield from self._changed(self.storage, ADMINISTRATOR)
        else:
            yield ORGANIZATION.key(self.trail.org)

    def _states(self) -> Iterator[str]:
        own = self.trail.storage
        yield from (key for key in state_keys(own) if TOKEN.parse(key) is None)
        yield from self._changed(own, TOKEN)

    def _chains(self) -> Iterator[Sequence[Any]]:
        with suppress(*_DAMAGE):
            yield self.trail.chain() if self.since is None else self.trail.chain_since(self.since)
        for key in self._changed(self.trail.storage, RECORD):
            (name,) = RECORD.parse(key) or ("",)
            with suppress(Missing):
                yield _recent(pieces_of(self.trail.storage, name), self.since)

    def _changed(self, storage: Storage, kind: ObjectKind) -> Iterator[str]:
        for key, written in list_with_times(storage, kind.folder):
            if (self.since is None or written is None or written >= self.since) and kind.parse(key) is not None:
                yield key


def _recent(pieces: Iterable[Sequence[Any]], since: datetime | None) -> Sequence[Any]:
    """The end of the chain in *pieces*, newest first, as `events.since` returns it; all if *since* is None."""
    chain: Sequence[Any] = ()
    for piece in pieces:
        chain = [*piece, *chain]
        if since is not None and events.begins_before(chain, timestamp(since)):
            break
    return chain if since is None else events.since(chain, timestamp(since))


def _append_pending(
    trail: Trail, storage: Storage, keys: Iterable[str], progress: Progress, since: datetime | None = None
) -> None:
    """Appends the events that the objects under *keys* carry and the administration's chain lacks.

    Those from before the moment *since* are not looked for. Damaged objects are left as they are.
    """
    first, in_chain = timestamp(since) if since else "", _ids_in(trail, since)
    for key in keys:
        with suppress(*_DAMAGE):
            recorded = [event for event in recorded_in(storage, key) if event["time"] >= first]
            if not in_chain.issuperset(event["id"] for event in recorded) and trail.append_pending(recorded):
                progress.count("changes added to the audit trail")


def _ids_in(trail: Trail, since: datetime | None) -> set[Any]:
    """The identifiers of all events in the administration's chain, read once for all objects."""
    with suppress(*_DAMAGE):
        chain: Sequence[Json] = trail.chain() if since is None else trail.chain_since(since)
        return {event["id"] for event in chain}
    return set()
