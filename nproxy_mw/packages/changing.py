"""One change of a package's record: read as far as it needs, changed, compacted, and swapped in one step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from nproxy_mw.audit import events
from nproxy_mw.audit.dirty import Cover
from nproxy_mw.audit.events import Stamp
from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name
from nproxy_mw.packages.changes import RecordChange
from nproxy_mw.packages.record import Record, decode, encode
from nproxy_mw.packages.records import RecordStore
from nproxy_mw.packages.version_parts import merged, separated
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import PART, RECORD, TARBALL
from nproxy_mw.storage.parts import PartMissing, PartRef
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.swaps import Swap

RecordStep: TypeAlias = Callable[[Record, datetime], RecordChange]


@dataclass(slots=True)
class RecordedChange:
    """The attempts of one change of the package *name*; *step* is given the record with the parts that it *needs*.

    *before* and *after* are the record as *step* was given it at the last attempt, and as it returned it. *stored* is
    what that attempt stores. *revision* is that of what was stored; None when nothing was, or the answer was lost.
    """

    storage: Storage
    records: RecordStore
    name: Name
    step: RecordStep
    needs: Callable[[PartRef], bool]
    stamp: Stamp
    cover: Cover
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    before: Record = field(default_factory=Record)
    after: Record = field(default_factory=Record)
    stored: Record = field(default_factory=Record)
    revision: Revision | None = None
    chain: Sequence[Json] = ()
    """The end of the package's chain, with at least the events of this change."""
    _replaced: frozenset[str] = frozenset()  # parts that the last attempt no longer names
    _made: set[str] = field(default_factory=set)  # parts of all attempts
    _places: set[int] = field(default_factory=set)  # in the whole chain, where the attempts put their first events
    _missing: set[str] = field(default_factory=set)  # parts that were gone

    def run(self, remembered: tuple[Record | None, Revision | None]) -> None:
        """Makes the change, from a record that is *remembered* at first. Raises as `Swap.run`."""
        swap = Swap(self.storage, RECORD.key(self.name), decode, encode, self._next, self._is_done)
        swap.run(remembered)
        if swap.written is not None:
            self.revision = swap.written.revision
            self.records.keep(self.name, self.stored, swap.written)

    def unnamed(self) -> Iterator[str]:
        """Yields the keys of tarballs and parts that no record names any more.

        After a lost answer nobody knows which attempt was stored, so its parts are not among them.
        """
        for file in self.before.files - self.after.files:
            yield TARBALL.key(self.name, file)
        if self.revision is not None:
            for key in (self._replaced | self._made) - self.stored.parts:
                yield PART.key(self.name, key)

    def _next(self, found: Record | None) -> Record | None:
        try:
            return self._stored_after(found or Record())
        except PartMissing as error:
            if error.key in self._missing:
                raise documents.damaged() from error
            self._missing.add(error.key)
            raise

    def _stored_after(self, found: Record) -> Record | None:
        loaded = self.records.load(self.name, found, self.needs)
        self.before = self.after = self.stored = merged(found, loaded)
        change = self.step(self.before, self.stamp.time)
        if change.after is self.before:
            return None
        self.cover.begin()
        new = self.stamp.events(change.facts, package=str(self.name))
        self.after, self.chain = change.after, events.extend(found.chain, new)
        self._places.add(found.event_count)
        grown = found.next(separated(change.after, loaded), self.chain, self.nonce)
        self.stored = self.records.compacted(self.name, grown, len(new))
        before, after = found.parts, self.stored.parts
        self._replaced = before - after
        self._made |= after - before
        return self.stored

    def _is_done(self, found: Record) -> bool:
        try:
            return self.stamp.is_in(self.records.event(self.name, found, place) for place in self._places)
        except PartMissing as error:
            raise StorageUnavailable("The package was changed meanwhile: try again.") from error
