"""Content-Encoding undone piece by piece, for the bodies of requests and of the upstream's answers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""What `inflated` reads."""

PIECE = 64 * 1024  # bytes
_EITHER_HEADER = zlib.MAX_WBITS | 32  # zlib looks at the header and tells gzip from deflate


class InflateError(ValueError):
    """The bytes are not what their Content-Encoding says."""


class CutShort(InflateError):
    """They end too early."""


class TrailingBytes(InflateError):
    """Something follows them. Raised when all of the body has been yielded."""


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields what *chunks*, in gzip or deflate, hold, at most `PIECE` bytes at a time.

    A small body may inflate a thousandfold: the caller counts what comes out, and stops.

    Raises:
        InflateError: see its kinds.
    """
    inflater = zlib.decompressobj(wbits=_EITHER_HEADER)
    for chunk in chunks:
        yield from _pieces(inflater, chunk)
        if inflater.unused_data:
            raise TrailingBytes
    if not inflater.eof:
        raise CutShort


def _pieces(inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    while True:
        try:
            piece = inflater.decompress(data, PIECE)
        except zlib.error as error:
            raise InflateError from error
        yield piece
        data = inflater.unconsumed_tail
        # A full piece may have more behind it, even when all of the input is taken.
        if len(piece) < PIECE and not data:
            return
