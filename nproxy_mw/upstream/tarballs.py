"""A tarball as the upstream sends it: what it must look like before a byte of it is passed on."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import chain

from nproxy_mw.npm.documents import Blob, ByteRange, Part
from nproxy_mw.upstream.responses import UnusableAnswer, UpstreamResponse, inflated_answer

_PAGES = frozenset({"text/html", "application/json"})  # a login page, an error object
_GZIP = b"\x1f\x8b"
_ENOUGH = 512  # bytes: more than the header of a gzip
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


def opened(answer: UpstreamResponse, part: ByteRange | None) -> Blob:
    """Returns the tarball in *answer*, which the blob closes.

    Its connection is kept only when what came begins like a gzip. Who sends something else may send anything next.

    Raises:
        UpstreamUnavailable, UpstreamTimeout: it is something else, or another part than the one asked for, or cannot be
            read.
    """
    content_type = answer.header("content-type").partition(";")[0].strip().lower()
    if content_type in _PAGES or answer.status not in ((200, 206) if part else (200,)):
        raise UnusableAnswer("The upstream registry answered with something else than the tarball.")
    chunks = answer.stream()
    found = _part(answer, part) if part and answer.status == 206 else None
    first = _first(chunks)
    length = answer.header("content-length")
    body: Iterator[bytes] = chain([first], chunks)
    # Some servers encode a .tgz once more for the way. Others only say so, of the gzip that it is.
    if not found and answer.is_encoded and _is_encoded_again(first):
        body, length = inflated_answer(body), ""
    return Blob(
        body,
        size=int(length) if _LENGTH.fullmatch(length) else None,
        part=found,
        etag=answer.validator("etag"),
        last_modified=answer.validator("last-modified"),
        close=answer.close if found or first.startswith(_GZIP) else answer.drop,
    )


def _part(answer: UpstreamResponse, asked: ByteRange) -> Part:
    match = _CONTENT_RANGE.fullmatch(answer.header("content-range"))
    part = Part(*map(int, match.groups())) if match else None
    if part is None or asked.within(part.size) != (part.first, part.last) or answer.is_encoded:
        raise UnusableAnswer("The upstream registry answered with another part than the one asked for.")
    return part


def _first(chunks: Iterator[bytes]) -> bytes:
    """Returns the beginning of the body: all of it when it is short."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= _ENOUGH:
            break
    return first


def _is_encoded_again(first: bytes) -> bool:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(first, 2) == _GZIP
    except zlib.error:
        return False
