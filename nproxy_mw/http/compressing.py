"""Gzip for finished bodies. Each is compressed once and sent many times, but a large one must not take a second.

With the package ``isal`` (extra ``fast``) gzip costs a third of zlib's level 6 for nearly the same size. Without it a
large body gets zlib's level 1: twice the bytes for two thirds of the time.
"""

from __future__ import annotations

import gzip

try:
    from isal import igzip
except ImportError:
    igzip = None  # type: ignore[assignment]

LARGE = 64 * 1024  # bytes; a smaller body takes zlib's level 6 less than a millisecond
_BEST, _FAST, _OF_ISAL = 6, 1, 3


def gzipped(body: bytes) -> bytes:
    """Returns *body* in gzip, the same bytes each time."""
    if igzip is not None:
        compressed: bytes = igzip.compress(body, _OF_ISAL, mtime=0)
        return compressed
    return gzip.compress(body, _FAST if len(body) >= LARGE else _BEST, mtime=0)
