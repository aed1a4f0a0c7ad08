"""Changes of a package's record that are made in one swap: it is read as far as they need, changed, and compacted."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct, field

from nproxy_mw.access import Actor
from nproxy_mw.audit import events
from nproxy_mw.audit.dirty import Cover
from nproxy_mw.audit.events import Stamp
from nproxy_mw.copies import replace
from nproxy_mw.errors import Changed, StorageUnavailable
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

Needs: TypeAlias = Callable[[PartRef], bool]
"""Tells which parts of a record a change needs."""


class PackageChange(Struct):
    """A change that *actor* asks for: *step* is given the record with the parts that it *needs*.

    *refusal* is why the last attempt left it out: the record does not allow it, or it has a bug.
    """

    step: RecordStep
    needs: Needs
    actor: Actor
    refusal: Exception | None = None


class RecordedChanges(Struct):
    """The attempts of one swap of the package *name*'s record, which makes *changes*, one on top of the other.

    A change that is refused is left out. *stamp* is the first one's; the others' events follow in time and number, so
    that the index keeps all of them together.

    *before* and *after* are the record before and after all changes at the last attempt, with the parts that these
    need. *stored* is what that attempt stores. *revision* is that of what was stored; None when nothing was, or the
    answer was lost.
    """

    storage: Storage
    records: RecordStore
    name: Name
    changes: Sequence[PackageChange]
    stamp: Stamp
    cover: Cover
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    before: Record = field(default_factory=Record)
    after: Record = field(default_factory=Record)
    stored: Record = field(default_factory=Record)
    revision: Revision | None = None
    chain: Sequence[Json] = ()
    """The end of the package's chain, with at least the events of these changes."""
    _is_remembered: bool = True  # what the next attempt starts from: nothing is refused because of it
    _replaced: frozenset[str] = frozenset()  # parts that the last attempt no longer names
    _made: set[str] = field(default_factory=set)  # parts of all attempts
    _places: set[int] = field(default_factory=set)  # in the whole chain, where the attempts put their first events
    _missing: set[str] = field(default_factory=set)  # parts that were gone

    def run(self, remembered: tuple[Record | None, Revision | None]) -> None:
        """Makes the changes, from a record that is *remembered* at first. Raises as `Swap.run`, and no refusal."""
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
        replaced = self._replaced | self._made
        if replaced and self.revision is not None:
            for key in replaced - self.stored.parts:
                yield PART.key(self.name, key)

    def _next(self, found: Record | None) -> Record | None:
        is_remembered, self._is_remembered = self._is_remembered, False
        try:
            return self._stored_after(found or Record(), is_remembered=is_remembered)
        except PartMissing as error:
            if error.key in self._missing:
                raise documents.damaged() from error
            self._missing.add(error.key)
            raise

    def _stored_after(self, found: Record, *, is_remembered: bool) -> Record | None:
        loaded = self.records.load(self.name, found, self._is_needed)
        self.before = self.after = self.stored = merged(found, loaded)
        new = self._changed(is_remembered=is_remembered)
        if self.after is self.before:
            return None
        self.cover.begin()
        self.chain = events.extend(found.chain, new)
        self._places.add(found.event_count)
        grown = found.next(separated(self.after, loaded), self.chain, self.nonce)
        self.stored = self.records.compacted(self.name, grown, len(new))
        before, after = found.parts, self.stored.parts
        self._replaced = before - after
        self._made |= after - before
        return self.stored

    def _is_needed(self, ref: PartRef) -> bool:
        return any(change.needs(ref) for change in self.changes)

    def _changed(self, *, is_remembered: bool) -> Sequence[Json]:
        """Makes the changes that are not refused; returns their events.

        Raises:
            Changed: one is refused because of what *is_remembered*.
        """
        new: list[Json] = []
        for change in self.changes:
            change.refusal = None
            try:
                made = change.step(self.after, self.stamp.time)
            except Exception as error:
                if is_remembered:
                    raise Changed("What is stored may allow it.") from error
                change.refusal = error
                continue
            if made.after is not self.after:
                # With another revision: nobody has seen this state, so no change was made for it.
                self.after = replace(made.after, nonce=self.nonce)
                stamp = replace(self.stamp, actor=change.actor, nonce=self.stamp.nonce + len(new))
                new += stamp.events(made.facts, package=str(self.name))
        return new

    def _is_done(self, found: Record) -> bool:
        try:
            return self.stamp.is_in(self.records.event(self.name, found, place) for place in self._places)
        except PartMissing as error:
            raise StorageUnavailable("The package was changed meanwhile: try again.") from error
