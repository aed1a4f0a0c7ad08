"""Parts of a package's record: immutable objects that hold what the record has grown out of.

A part is written before the record that names it, and never again. Its key begins with the SHA-256 of its bytes, so a
record vouches for its parts, and ends at random, so no other writer's part is ever removed in place of one's own. When
a later record no longer names a part, the part is removed. So who finds a part gone reads the record again (`settled`).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from nproxy_mw.errors import Changed, Missing
from nproxy_mw.lru import Lru
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import PART
from nproxy_mw.storage.places import is_local
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import MEMORY

T = TypeVar("T")

THREADS = 8
"""How many parts are read at once where each costs a request."""

_DIGEST = 64  # hex digits of a SHA-256
_HELD = 3  # bytes of memory for each byte of a part, whose members are kept as raw JSON


class PartMissing(Changed):
    """A part is gone: the record that names it is an old one, or the part was lost. *key* is the part's."""

    def __init__(self, key: str) -> None:
        super().__init__("A part of the package's record is gone.")
        self.key = key


@dataclass(frozen=True, slots=True)
class PartRef:
    """How a record names a part: its *key*, and *count*, how many things it holds, in *size* bytes.

    *numbers* tells which versions may be in it: see `nproxy_mw.packages.version_parts`. *tarballs* is how many bytes
    their tarballs have; None for a part with events, and where an earlier version wrote it.
    """

    key: str
    count: int
    size: int
    numbers: str = ""
    tarballs: int | None = None


def parse_refs(value: object) -> tuple[PartRef, ...]:
    """Returns what a record's JSON says of its parts.

    Raises:
        UnreadableObject: it is damaged.
    """
    try:
        return msgspec.convert(value, tuple[PartRef, ...])
    except msgspec.ValidationError as error:
        raise documents.damaged() from error


def read_part(storage: Storage, package: object, key: str) -> bytes:
    """Returns the bytes of the part *key* of *package*.

    Raises:
        PartMissing: it is gone.
        UnreadableObject: it is not what was written.
    """
    try:
        data = storage.read(PART.key(package, key)).data
    except Missing as error:
        raise PartMissing(key) from error
    if hashlib.sha256(data).hexdigest() != key[:_DIGEST]:
        raise documents.damaged()
    return data


def settled(read: Callable[[bool], T]) -> T:
    """Returns what *read* returns, which is given whether it must read the record as it is this moment.

    When a part is gone, the record is read again: it has other parts by now.

    Raises:
        UnreadableObject: the record names a part that is lost.
    """
    missing: set[str] = set()
    while True:
        try:
            return read(bool(missing))
        except PartMissing as error:
            if error.key in missing:
                raise documents.damaged() from error
            missing.add(error.key)


class StoredPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a part holds, as it is stored; each kind of part is a class of its own. Members are kept as raw JSON."""

    format: int = documents.FORMAT

    @property
    def count(self) -> int:
        """How many versions or events it holds."""
        raise NotImplementedError

    @property
    def numbers(self) -> str:
        """Tells which versions may be in it: see `PartRef`."""
        return ""

    @property
    def tarball_bytes(self) -> int | None:
        """How many bytes the tarballs of its versions have; None when it holds none."""
        return None

    def fits(self, ref: PartRef) -> bool:
        """Returns whether a record that names the part by *ref* says of it what is true."""
        is_counted = ref.tarballs is None or ref.tarballs == self.tarball_bytes
        return is_counted and (self.count, self.numbers) == (ref.count, ref.numbers)

    def encode(self) -> bytes:
        """Returns the part as it is stored."""
        return msgspec.json.encode(self) + b"\n"


P = TypeVar("P", bound=StoredPart)


def decode_part(data: bytes, kind: type[P]) -> P:
    """Returns the part of that *kind* that is stored as *data*.

    Raises:
        UnreadableObject: it is none, or one of a newer format.
    """
    try:
        part = msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        documents.decode(data)
        raise documents.damaged() from error
    if part.format != documents.FORMAT:
        documents.decode(data)
        raise documents.damaged()
    return part


class Parts(Generic[P]):
    """The parts of one *kind* on *storage*, the last used ones kept in *memory*.

    What is kept never changes, so the storage is not asked about it again.
    """

    def __init__(self, storage: Storage, kind: type[P], *, memory: Lru[tuple[object, str], Any] = MEMORY) -> None:
        self._storage = storage
        self._kind = kind
        self._memory = memory
        self._owner = object()  # tells the entries of these parts from those of others
        self._threads = 1 if is_local(storage) else THREADS

    def read(self, package: object, refs: Sequence[PartRef]) -> list[P]:
        """Returns the parts of *package* in the order of *refs*.

        Raises:
            PartMissing: one of them is gone.
            StorageUnavailable: one cannot be read, or is damaged.
        """
        kept = [self._kept(package, ref) for ref in refs]
        if self._threads == 1 or kept.count(None) <= 1:
            return [part or self._read(package, ref) for part, ref in zip(kept, refs, strict=True)]
        with ThreadPoolExecutor(min(self._threads, len(refs)), thread_name_prefix="parts") as pool:
            return list(pool.map(partial(self._read, package), refs))

    def create(self, package: object, part: P) -> PartRef:
        """Stores a part, and returns how a record names it.

        Raises:
            StorageUnavailable: it cannot be stored.
        """
        data = part.encode()
        key = f"{hashlib.sha256(data).hexdigest()}-{secrets.token_hex(4)}.json"
        self._storage.create(PART.key(package, key), data)
        self._keep(package, key, data)
        return PartRef(key, part.count, len(data), part.numbers, part.tarball_bytes)

    def _kept(self, package: object, ref: PartRef) -> P | None:
        return self._memory.get((self._owner, PART.key(package, ref.key)))

    def _read(self, package: object, ref: PartRef) -> P:
        found = self._kept(package, ref)
        return self._keep(package, ref.key, read_part(self._storage, package, ref.key)) if found is None else found

    def _keep(self, package: object, key: str, data: bytes) -> P:
        part = decode_part(data, self._kind)
        self._memory.put((self._owner, PART.key(package, key)), part, _HELD * len(data))
        return part
