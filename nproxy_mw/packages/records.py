"""The records of an organization's packages, with their parts: read as far as they are needed, and compacted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from nproxy_mw.audit.package_chain import EventPart
from nproxy_mw.copies import replace
from nproxy_mw.errors import Missing
from nproxy_mw.lru import Lru
from nproxy_mw.npm.names import Name
from nproxy_mw.packages.browsing import BrowsedPackage
from nproxy_mw.packages.changes import absent
from nproxy_mw.packages.compaction import (
    BOUNDS,
    Compaction,
    split_events,
    split_last,
    split_versions,
    to_compact,
)
from nproxy_mw.packages.record import Record, decode
from nproxy_mw.packages.version_parts import (
    LoadedPart,
    PublishedVersion,
    VersionPart,
    holding,
    merged,
    written_packument,
)
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.parts import PartMissing, PartRef, Parts, settled
from nproxy_mw.storage.port import Revision, Storage, Stored
from nproxy_mw.storage.revisions import MEMORY, RevisionCache


class RecordStore:
    """The records on *storage*, one organization's own; the last used ones and their parts are kept in *memory*."""

    def __init__(self, storage: Storage, *, memory: Lru[tuple[object, str], Any] = MEMORY) -> None:
        self.bounds = BOUNDS
        self._records = RevisionCache(storage, decode, memory=memory)
        self._versions = Parts(storage, VersionPart, memory=memory)
        self._events = Parts(storage, EventPart, memory=memory)

    def own(self, name: Name, *, current: bool = False) -> tuple[Record, Revision]:
        """Returns the record without what is in its parts; *current*: as it is this moment.

        Raises:
            NotFound: nothing was ever published under that name.
        """
        try:
            entry = self._records.entry(RECORD.key(name), current=current)
        except Missing:
            absent()
        return entry.value, entry.revision

    def kept(self, name: Name) -> tuple[Record, Revision] | None:
        """Returns the record as this process knows it, which may be old; None when it does not. Nothing is asked."""
        return self._records.kept(RECORD.key(name))

    def whole(self, name: Name, *, current: bool = False) -> tuple[Record, Revision]:
        """Returns the record with everything in its parts as its own. Raises as `own`."""

        def read(again: bool) -> tuple[Record, Revision]:
            record, revision = self.own(name, current=current or again)
            return self.completed(name, record), revision

        return settled(read)

    def unavailable(self, name: Name, record: Record, needs: Callable[[PartRef], bool]) -> frozenset[str]:
        """Returns the numbers in *record* that cannot be published again; of its parts, in those that *needs* accepts.

        When a part is gone, the record is an old one. Then its parts are left out.
        """
        try:
            return merged(record, self.load(name, record, needs)).unavailable
        except PartMissing:
            return record.unavailable

    def release_in_parts(self, name: Name, version: str, *, current: bool = False) -> PublishedVersion | None:
        """Returns what a part holds of *version*; None when none has it. Raises as `own`."""

        def read(again: bool) -> PublishedVersion | None:
            record, _ = self.own(name, current=current or again)
            found = (part.release(version) for part in self.load(name, record, holding(version)))
            return next(filter(None, found), None)

        return settled(read)

    def packument(self, name: Name, *, current: bool = False) -> tuple[Record, bytes]:
        """Returns the record without its parts, and the JSON of its packument with them. Raises as `own`."""

        def read(again: bool) -> tuple[Record, bytes]:
            record, _ = self.own(name, current=current or again)
            parts = self._versions.read(name, record.version_parts) if record.packument else []
            return record, written_packument(record, parts, _rev=record.revision)

        return settled(read)

    def browsed(self, name: Name, *, current: bool = False) -> BrowsedPackage:
        """Returns the package with nothing of its parts decoded. Raises as `own`."""

        def read(again: bool) -> BrowsedPackage:
            record, _ = self.own(name, current=current or again)
            pieces = self._events.read(name, record.event_parts)
            events = [event for piece in pieces for event in piece.chain]
            return BrowsedPackage(record, self._versions.read(name, record.version_parts), events)

        return settled(read)

    def keep(self, name: Name, record: Record, stored: Stored) -> None:
        """Keeps a record that was just *stored*: it needs no reading."""
        self._records.put(RECORD.key(name), record, stored)

    def completed(self, name: Name, record: Record) -> Record:
        """Returns *record* with everything in its parts as its own.

        Raises:
            PartMissing: a part is gone: *record* is an old one.
        """
        if not record.parts:
            return record
        pieces = self._events.read(name, record.event_parts)
        chain = [msgspec.json.decode(event) for piece in pieces for event in piece.chain]
        return replace(
            merged(record, self.load(name, record, every_part)), chain=[*chain, *record.chain], event_parts=()
        )

    def load(self, name: Name, record: Record, needs: Callable[[PartRef], bool]) -> list[LoadedPart]:
        """Returns the parts with versions that *needs* accepts. Raises as `completed`."""
        if not record.version_parts:
            return []
        refs = [ref for ref in record.version_parts if needs(ref)]
        return [LoadedPart(*pair) for pair in zip(refs, self._versions.read(name, refs), strict=True)]

    def event(self, name: Name, record: Record, place: int) -> Any:
        """Returns the event at *place* of the whole chain, counted from 0; None without one. Raises as `completed`."""
        for ref in record.event_parts:
            if place < ref.count:
                (piece,) = self._events.read(name, [ref])
                return msgspec.json.decode(piece.chain[place])
            place -= ref.count
        return record.chain[place] if place < len(record.chain) else None

    def compacted(self, name: Name, record: Record, kept: int) -> Record:
        """Returns *record* without what it has grown out of, which is stored in parts by now.

        The last *kept* events stay in it at least. Raises as `completed`, and `StorageUnavailable`.
        """
        kept = max(kept, self.bounds.kept_events)
        match to_compact(record, kept, self.bounds):
            case Compaction.VERSIONS:
                return self._without_versions(name, record)
            case Compaction.EVENTS:
                return self._without_events(name, record, kept)
        return record

    def _without_versions(self, name: Name, record: Record) -> Record:
        refs, last = split_last(record.version_parts, self.bounds.part_versions, self.bounds)
        newest = next(iter(self._versions.read(name, last)), VersionPart())
        smaller, parts = split_versions(record, newest, self.bounds)
        return replace(smaller, version_parts=(*refs, *(self._versions.create(name, part) for part in parts)))

    def _without_events(self, name: Name, record: Record, kept: int) -> Record:
        refs, last = split_last(record.event_parts, self.bounds.part_events, self.bounds)
        newest = next(iter(self._events.read(name, last)), EventPart())
        smaller, parts = split_events(record, newest, kept, self.bounds)
        return replace(smaller, event_parts=(*refs, *(self._events.create(name, part) for part in parts)))


def uncached(storage: Storage) -> RecordStore:
    """Returns the records on *storage*, read anew each time: for work on each package once."""
    return RecordStore(storage, memory=Lru(max_items=0))


def every_part(ref: PartRef) -> bool:
    """Accepts every part."""
    return True


def no_part(ref: PartRef) -> bool:
    """Accepts no part."""
    return False
