"""Where kept tarballs lie, each with a seal: its size and digest, by which it is verified when it is read again.

A file that was not synced may be damaged by a power cut, and any file by a disk or a person. So a tarball is verified
when a process opens it that does not know it, and again when the file has changed since: its size, its time, its inode.
What one process of the host has verified or written, the others need not verify again (`Verifications`). A tarball that
is not what its seal says is removed, and counts as not kept.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import msgspec

from nproxy_mw.errors import Exists, Missing, RangeNotSatisfiable, StorageError, StorageUnavailable
from nproxy_mw.grounds import Look
from nproxy_mw.lru import Lru
from nproxy_mw.npm.documents import Blob, ByteRange, Part
from nproxy_mw.npm.names import Name
from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.looks import look_at_open
from nproxy_mw.storage.port import Storage, is_key
from nproxy_mw.storage.swaps import Swap
from nproxy_mw.upstream.cache_folder import NOTED, CacheFolder
from nproxy_mw.upstream.cache_units import SEAL, TARBALLS
from nproxy_mw.upstream.file_states import FileState, state_at, state_of
from nproxy_mw.upstream.verifications import Verifications, Verified
from nproxy_mw.upstream.verifying import Digest, Verifier, digest_of

CHUNK = 256 * 1024
MAX_VERIFIED = 20_000
"""Tarballs that a process remembers as verified."""

LOOK = 1
"""The look that is taken into each tarball. One that was kept after a lower look is looked into again."""

_log = logging.getLogger(__name__)


class TarballSeal(msgspec.Struct, frozen=True):
    """What a tarball must be: its *size* in bytes and its *digest*, as in ``dist.integrity``.

    *look* is the `LOOK` that was taken into it; 0 when nobody looked.
    """

    size: int
    digest: str
    look: int = 0


def key_of(name: Name, filename: str) -> str:
    """Returns where a tarball is kept. What no storage can hold under its own name is kept under a digest of it."""
    begin = f"{name.base}-"
    # No name holds a plus, so no two packages share a key.
    key = f"{TARBALLS}/{name}+{filename.removeprefix(begin)}"
    if filename.startswith(begin) and is_key(_seal_key(key)):
        return key
    return f"{TARBALLS}/-/{blake2b(f'{name}/{filename}'.encode(), digest_size=32).hexdigest()}.tgz"


class TarballStore:
    """The tarballs on *storage*, under the keys of `key_of`.

    *verifications* are those of all processes of the host; if it is None, each process verifies for itself.
    """

    def __init__(self, storage: Storage, verifications: Verifications | None = None) -> None:
        self.storage = storage
        self.verifications = verifications
        self._verified: Lru[str, tuple[FileState | None, TarballSeal]] = Lru(max_items=MAX_VERIFIED)

    def open(self, key: str, part: ByteRange | None) -> Blob:
        """Opens a tarball that is what it was when it was kept, or a *part* of it.

        Raises:
            Missing: it is not kept, or was damaged; then it is removed.
            RangeNotSatisfiable: it has no such part.
            StorageUnavailable: the storage cannot be read just now.
        """
        file = self.storage.open(key)
        try:
            return _blob(file, self._sealed(key, file), part)
        except BaseException:
            file.close()
            raise

    def look_at(self, key: str, file: BinaryIO | None) -> Look | None:
        """Returns the look at a tarball whose *file* was opened; None where the storage itself must be asked.

        After `NOTED` it says no: a file that nobody opens would look unused, and the cache would give it up.
        """
        look = look_at_open(self.storage, key, file)
        until = monotonic() + NOTED
        return None if look is None else lambda: monotonic() < until and look()

    def was_looked_into(self, key: str, *, current: bool = False) -> bool:
        """Whether the last look was taken into a tarball that was opened; if *current*, by another process, too."""
        state, seal = self._verified.get(key) or (None, None)
        if seal is not None and seal.look < LOOK and current:
            with suppress(Missing, msgspec.DecodeError):
                seal = _DECODER.decode(self.storage.read(_seal_key(key)).data)
                self._verified.put(key, (state, seal))
        return seal is not None and seal.look >= LOOK

    def looked_into(self, key: str, size: int, digest: Digest | None) -> None:
        """Notes that a look was taken into a kept tarball. Raises `StorageUnavailable`, `Busy`."""
        self._seal(key, TarballSeal(size, str(digest), LOOK))

    def create(self, key: str, data: bytes, digest: Digest | None, *, look: int = 0) -> None:
        """Keeps *data*, which has that *digest*. Raises `StorageUnavailable`."""
        seal = self._seal(key, TarballSeal(len(data), str(digest), look))
        with suppress(Exists):
            self.storage.create(key, data)
            self._note_written(key, seal)

    def make_room(self, size: int) -> None:
        """Lets the cache make room for a file of *size* bytes that is about to be written, and adopted then."""
        if isinstance(self.storage, CacheFolder):
            self.storage.eviction.grew(size)

    def adopt(self, key: str, path: Path, digest: Digest | None, *, look: int = 0) -> None:
        """Keeps the file at *path*, which has that *digest*. It stays where it is, too. Raises as `create`."""
        if not isinstance(self.storage, LocalStorage):
            self.create(key, path.read_bytes(), digest, look=look)
            return
        seal = self._seal(key, TarballSeal(path.stat().st_size, str(digest), look))
        with suppress(Exists):
            self.storage.adopt(key, path)
            self._note_written(key, seal)

    def remove(self, key: str) -> None:
        """Removes a tarball, if it is there."""
        for each in (key, _seal_key(key)):
            with suppress(StorageError):
                self.storage.delete(each)

    def _sealed(self, key: str, file: BinaryIO) -> TarballSeal:
        """Returns the seal of an open tarball that is what the seal says. Raises as `open`."""
        state = state_of(file)
        before, seal = self._verified.get(key) or (None, None)
        if seal is None or before != state:
            seal = self._known(key, state) or self._verify(key, file, state)
            self._verified.put(key, (state, seal))
        return seal

    def _known(self, key: str, state: FileState | None) -> TarballSeal | None:
        """What a process of this host found the file to be, in this very state; None when none did."""
        known = self.verifications.find(key, state) if self.verifications is not None and state is not None else None
        return TarballSeal(known.state.size, known.digest, known.look) if known is not None else None

    def _note(self, key: str, state: FileState | None, seal: TarballSeal) -> None:
        """Lets the processes of this host know that the file of *key* is what *seal* says, as it is now."""
        if self.verifications is not None and state is not None:
            self.verifications.note(key, Verified(state, seal.digest, seal.look))

    def _note_written(self, key: str, seal: TarballSeal) -> None:
        """Does so for what this process has just written."""
        if self.verifications is not None:
            with suppress(Missing, StorageUnavailable):
                self._note(key, self._state(key), seal)

    def _state(self, key: str) -> FileState | None:
        if isinstance(self.storage, LocalStorage):
            return state_at(self.storage.path_of(key))
        with self.storage.open(key) as file:
            return state_of(file)

    def _verify(self, key: str, file: BinaryIO, state: FileState | None) -> TarballSeal:
        try:
            seal = _DECODER.decode(self.storage.read(_seal_key(key)).data)
            if seal.size == _size_of(file) and (state is None or _has_digest(file, seal)):
                self._note(key, state, seal)
                return seal
            _log.warning("%s is damaged: it is removed, and fetched again", key)
        except (Missing, msgspec.DecodeError):
            _log.info("%s has no seal that can be read: it is fetched again", key)
        self.remove(key)
        raise Missing("The tarball was damaged.")

    def _seal(self, key: str, seal: TarballSeal) -> TarballSeal:
        data = _ENCODER.encode(seal)
        swap = Swap(self.storage, _seal_key(key), bytes, bytes, lambda before: data, lambda found: found == data)
        swap.run((None, None))  # most often it is the first one
        return seal


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(TarballSeal)


def _seal_key(key: str) -> str:
    return key + SEAL


def _size_of(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _has_digest(file: BinaryIO, seal: TarballSeal) -> bool:
    verifier = Verifier(digest_of(seal.digest, None), seal.size)
    for chunk in _chunks(file, seal.size):
        verifier.feed(chunk)
    file.seek(0)
    return verifier.is_content


def _blob(file: BinaryIO, seal: TarballSeal, part: ByteRange | None) -> Blob:
    size, close = seal.size, file.close
    if part is None:
        return Blob(_chunks(file, size), size=size, integrity=seal.digest, file=file, close=close)
    place = part.within(size)
    if place is None:
        raise RangeNotSatisfiable("The tarball has no such range.", content_range=f"bytes */{size}")
    first, last = place
    file.seek(first)
    length = last - first + 1
    part_of = Part(first, last, size)
    return Blob(_chunks(file, length), size=length, part=part_of, integrity=seal.digest, close=close)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left and (chunk := file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk
