"""Gzip for finished bodies. Each is compressed once and sent many times, but a large one must not take a second.

With the package ``isal`` (extra ``fast``) gzip costs a tenth of zlib's level 6, and undoing it half as much; packuments
take a twentieth to a quarter more bytes. isal's highest level would save up to a tenth, for five times the CPU. Without
the package a large body gets zlib's level 1: twice the bytes for two thirds of the time.
"""

from __future__ import annotations

import gzip
import zlib

try:
    from isal import igzip, isal_zlib
except ImportError:
    igzip = isal_zlib = None  # type: ignore[assignment]

LARGE = 64 * 1024  # bytes; a smaller body takes zlib's level 6 less than a millisecond
_BEST, _FAST, _OF_ISAL = 6, 1, 1
_BROKEN: type[Exception] = zlib.error if isal_zlib is None else isal_zlib.error  # type: ignore[assignment]


def gzipped(body: bytes) -> bytes:
    """Returns *body* in gzip, the same bytes each time."""
    if igzip is not None:
        compressed: bytes = igzip.compress(body, _OF_ISAL, mtime=0)
        return compressed
    return gzip.compress(body, _FAST if len(body) >= LARGE else _BEST, mtime=0)


def gunzipped(data: bytes, limit: int) -> bytes | None:
    """Returns what *data* holds; None when it is not one whole gzip member, or holds more than *limit* bytes."""
    inflater = (zlib if isal_zlib is None else isal_zlib).decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        raw: bytes = inflater.decompress(data, limit + 1)
    except _BROKEN:
        return None
    return raw if inflater.eof and not inflater.unused_data and len(raw) <= limit else None
