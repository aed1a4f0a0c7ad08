"""A gzip member unpacked piece by piece, under caps: what comes out is never held as a whole."""

from __future__ import annotations

import zlib
from mmap import mmap

from nproxy_mw.errors import BadRequest

MAX_UNPACKED = 512 * 1024 * 1024
"""Bytes that may come out. The largest packages of the public registry unpack to about 300 MB; a 37 MB tarball, the
most that a publish can carry, to about 200 MB at the usual 5:1."""

MAX_RATIO = 100
"""Times that the output may be larger than the input so far. Sources pack 4:1 to 6:1, generated tables up to 40:1;
deflate ends at 1032:1, and only bombs come near."""

FREE_OF_RATIO = 16 * 1024 * 1024
"""Bytes that may come out before `MAX_RATIO` counts: a small package may be a list of zeros."""

_PIECE = 256 * 1024  # bytes held at once
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS


class Gunzip:
    """Reads the one gzip member that *data* is."""

    def __init__(self, data: bytes | mmap) -> None:
        self.position = 0  # in what comes out
        self._data = memoryview(data)
        self._fed = 0
        self._inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
        self._piece = b""
        self._used = 0  # of the piece
        self._produced = 0

    def read(self, size: int) -> bytes:
        """Returns the next *size* bytes.

        Raises:
            BadRequest: there are fewer, or what follows breaks a rule of gzip or a cap.
        """
        start, end = self._used, self._used + size
        if end <= len(self._piece):  # most often: a header, a small file
            self._used = end
            self.position += size
            return self._piece[start:end]
        pieces = []
        while size:
            piece = self.read_some(size)
            if not piece:
                raise BadRequest("The tarball ends in the middle of an entry; pack it again.", code="invalid-tarball")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Skips *size* bytes. Raises as `read` does."""
        while size:
            size -= len(self.read(min(size, _PIECE)))

    def read_some(self, size: int) -> bytes:
        """Returns between 1 and *size* bytes, or none at the end. Raises as `read` does."""
        if self._used == len(self._piece):
            self._piece, self._used = self._inflate(), 0
        piece = self._piece[self._used : self._used + size]
        self._used += len(piece)
        self.position += len(piece)
        return piece

    def _inflate(self) -> bytes:
        """The next piece that comes out; empty when the member ended where the data does."""
        piece = b""
        while not piece and not self._inflater.eof:
            source = self._inflater.unconsumed_tail or self._feed()
            try:
                piece = self._inflater.decompress(source, _PIECE)
            except zlib.error as error:
                raise BadRequest(
                    "The tarball is not gzip, or is damaged; pack it again.", code="invalid-tarball"
                ) from error
            if not piece and not source and not self._inflater.eof:
                raise BadRequest("The tarball is cut off; pack it again.", code="invalid-tarball")
        if self._inflater.eof and self._goes_on():
            raise BadRequest("The tarball has bytes behind its end; pack it again.", code="invalid-tarball")
        self._check_caps(len(piece))
        return piece

    def _goes_on(self) -> bool:
        """Whether anything but zeros follows the member. Some archivers pad to a block; gzip passes over the zeros."""
        return any(self._inflater.unused_data) or any(self._data[self._fed :])

    def _feed(self) -> memoryview:
        source = self._data[self._fed : self._fed + _PIECE // 4]
        self._fed += len(source)
        return source

    def _check_caps(self, size: int) -> None:
        self._produced += size
        consumed = self._fed - len(self._inflater.unconsumed_tail)
        if self._produced > MAX_UNPACKED:
            limit = MAX_UNPACKED // 2**20
            raise BadRequest(f"The tarball unpacks to more than {limit} MiB.", code="invalid-tarball")
        if self._produced > FREE_OF_RATIO and self._produced > MAX_RATIO * consumed:
            raise BadRequest(f"The tarball unpacks to more than {MAX_RATIO} times its size.", code="invalid-tarball")
