"""Finished answers that the processes of a host share, in the folder of the cache.

A view has an entry, which says of what it was made, and its body: in the entry, or from `FILE_FROM` bytes on in a file
of its own, which is sent as it is and takes no memory of a process. Both have a checksum: nothing here is synced.
"""

from __future__ import annotations

import logging
import zlib
from contextlib import suppress
from hashlib import blake2b
from typing import BinaryIO

import msgspec

from nproxy_mw.errors import Missing, StorageError, StorageUnavailable
from nproxy_mw.http.messages import Response
from nproxy_mw.http.views import View, ViewKey, etag_of
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.swaps import overwrite
from nproxy_mw.upstream.cache_folder import CacheFolder
from nproxy_mw.upstream.file_states import FileState, state_of

FILE_FROM = 128 * 1024
"""Bytes of a finished body from which it is kept in a file of its own."""

_log = logging.getLogger(__name__)


class ShelfEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A view as it is stored. If *body* is empty, a file has *size* bytes of it; *checksum* is their CRC-32."""

    revision: str
    etag: str
    headers: list[tuple[str, str]]
    size: int
    checksum: int
    body: bytes = b""


class SharedViews:
    """A `nproxy_mw.http.views.Shelf` in *folder*."""

    def __init__(self, folder: CacheFolder) -> None:
        self.folder = folder

    def find(self, key: ViewKey) -> View | None:
        """Returns the view under *key*; None when there is none, or it is damaged."""
        place = _place_of(key)
        entry = self._entry(place)
        if entry is None or entry.etag != etag_of(entry.revision, key):  # an older version made it otherwise
            return None
        if entry.body:
            return _view(entry) if zlib.crc32(entry.body) == entry.checksum else None
        file = self._file(place, entry)
        try:
            file.open().close()
        except (Missing, StorageUnavailable):
            return None
        return _view(entry, file)

    def keep(self, key: ViewKey, view: View) -> View:
        """Keeps *view* in place of the one before, and returns it; a large one with its body in a file."""
        body = view.found.body
        if not isinstance(body, bytes):
            return view
        place, is_large = _place_of(key), len(body) >= FILE_FROM
        entry = ShelfEntry(
            revision=view.revision,
            etag=view.etag,
            headers=list(view.found.headers),
            size=len(body),
            checksum=zlib.crc32(body),
            body=b"" if is_large else body,
        )
        try:
            before = self._entry(place)
            if is_large:
                overwrite(self.folder, _body_key(place, entry), body)
            overwrite(self.folder, f"{place}.entry", _ENCODER.encode(entry))
        except StorageUnavailable as error:  # a full disk: served all the same
            _log.warning("a finished answer was not kept: %s", error)
            return view
        if before is not None and before.etag != entry.etag:
            with suppress(StorageError, StorageUnavailable):
                self.folder.delete(_body_key(place, before))
        return _view(entry, self._file(place, entry)) if is_large else view

    def _entry(self, place: str) -> ShelfEntry | None:
        try:
            return _DECODER.decode(self.folder.read(f"{place}.entry").data)
        except (Missing, StorageUnavailable, msgspec.DecodeError):
            return None

    def _file(self, place: str, entry: ShelfEntry) -> _BodyFile:
        return _BodyFile(self.folder, _body_key(place, entry), entry.size, entry.checksum)


class _BodyFile:
    """The body under *key*, verified when it is opened first, and again when the file has changed."""

    def __init__(self, storage: Storage, key: str, size: int, checksum: int) -> None:
        self.storage = storage
        self.key = key
        self.size = size
        self.checksum = checksum
        self._verified: FileState | None = None

    def open(self) -> BinaryIO:
        """Opens the file. Raises `Missing`, also when it is damaged; then it is removed."""
        file = self.storage.open(self.key)
        state = state_of(file)
        if state == self._verified:
            return file
        data = file.read(self.size + 1)
        if len(data) != self.size or zlib.crc32(data) != self.checksum:
            file.close()
            _log.warning("%s is damaged: it is removed, and made again", self.key)
            with suppress(StorageError):
                self.storage.delete(self.key)
            raise Missing("The body was damaged.")
        file.seek(0)
        self._verified = state
        return file


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ShelfEntry)


def _view(entry: ShelfEntry, file: _BodyFile | None = None) -> View:
    found = Response(200, entry.headers, entry.body)
    return View(entry.revision, entry.etag, found, entry.size, file.open if file else None)


def _place_of(key: ViewKey) -> str:
    return f"views/{_named(chr(0).join(key))}"


def _body_key(place: str, entry: ShelfEntry) -> str:
    return f"{place}.{_named(entry.etag)}"


def _named(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
