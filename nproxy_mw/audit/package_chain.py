"""The chain of one package: its last events are in the package's record, earlier ones in parts that the record names.

They are read here and nowhere else. A part may be replaced by a fuller one while a chain is read; then the record is
read again, and reading goes on where it was: events are only ever added at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from msgspec import Raw, field

from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.parts import PartMissing, PartRef, StoredPart, parse_refs, read_part
from nproxy_mw.storage.port import Storage

FORMAT = 2
"""Of a record that has parts; one without any has format 1. A reader refuses a number it does not know."""

NEWER = "newer"
"""What takes the place of a chain that a newer version wrote: this version cannot say whether it is sound."""


class EventPart(StoredPart, frozen=True, kw_only=True):
    """A piece of a chain that its record has grown out of."""

    chain: list[Raw] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many events it holds."""
        return len(self.chain)


def pieces_of(storage: Storage, name: str, record: bytes | None = None) -> Iterator[Sequence[Any]]:
    """Yields the chain of the package *name* in pieces, the newest first, each with its oldest event first.

    *storage* is the organization's own; *record* is what it holds under the package's name, if that was read already.
    Each piece costs one read, when it is asked for. In place of a piece that cannot be read, there is one thing that is
    no event: `NEWER` for a record that a newer version wrote.

    Raises:
        Missing: nothing was ever published under that name.
        StorageUnavailable: the storage cannot be read.
    """
    own, refs = _split(storage.read(RECORD.key(name)).data if record is None else record)
    yield own
    left, missing = sum(ref.count for ref in refs), ""
    while left > 0 and (found := _part_with(refs, left - 1)):
        start, ref = found
        try:
            piece = _events_in(storage, name, ref)[: left - start]
        except PartMissing:
            if ref.key != missing:
                missing = ref.key
                refs = _split(storage.read(RECORD.key(name)).data)[1]
                continue
            piece = [None]
        yield piece
        left = start


def chain_of(storage: Storage, name: str, record: bytes | None = None) -> Sequence[Any]:
    """Returns the whole chain of the package *name*, oldest event first. See `pieces_of`."""
    return [event for piece in reversed(list(pieces_of(storage, name, record))) for event in piece]


def _split(record: bytes) -> tuple[Sequence[Any], Sequence[PartRef]]:
    """Returns the events in a stored record, and the parts with those of before."""
    try:
        document = orjson.loads(record)
        if documents.is_newer(document, FORMAT):
            return [NEWER], ()
        own, refs = document["chain"], parse_refs(document.get("eventParts", ()))
    except (ValueError, KeyError, TypeError, AttributeError, UnreadableObject):
        return [None], ()
    return (own, refs) if isinstance(own, list) else ([None], ())


def _part_with(refs: Sequence[PartRef], place: int) -> tuple[int, PartRef] | None:
    """Returns the place of a part's first event, and the part, which has the event at *place*; both counted from 0."""
    start = 0
    for ref in refs:
        if place < start + ref.count:
            return start, ref
        start += ref.count
    return None


def _events_in(storage: Storage, name: str, ref: PartRef) -> Sequence[Any]:
    """The events in one part; for a damaged one, one thing in their place that is no event."""
    try:
        chain = documents.decode(read_part(storage, name, ref.key))["chain"]
    except (KeyError, UnreadableObject):
        return [None]
    return chain if isinstance(chain, list) else [None]
