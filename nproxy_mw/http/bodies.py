"""Request bodies: read in pieces, counted, decoded and bounded, whatever the server does with them.

Servers differ (docs/servers.md). Some hand over a cut upload without an error, some let an application read past the
end, some give a chunked body as empty. So this module counts every piece and compares the sum with what the client
announced.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nproxy_mw.errors import BadRequest, LengthRequired, PayloadTooLarge
from nproxy_mw.http.inflating import ENCODINGS, CutShort, InflateError, TrailingBytes, inflated
from nproxy_mw.whole_numbers import whole_number

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import InputStream, WSGIEnvironment

CHUNK = 64 * 1024  # bytes
DRAIN_LIMIT = 2 * 52_428_800  # bytes read and thrown away before an error is answered
DRAIN_SECONDS = 30.0
_MAX_DIGITS = 18  # of a Content-Length
_EMPTY = frozenset({None, "", "0"})  # lengths of requests without a body
STRANGER_DRAIN_LIMIT = 1024 * 1024  # the same, for a client that may not do what it asks for
STRANGER_DRAIN_SECONDS = 2.0

LINGER = "nproxy.linger"
"""The environ key of a function, offered by a server that reads a little of a request's rest by itself after the
response. Once called, the server reads as much as `drain` would."""

PUBLISH_LIMIT = 52_428_800
"""Bytes of a publish request's body, after any Content-Encoding is undone: 50 MB."""

_TOO_LARGE = "The request body is larger than {limit} bytes."
_PUBLISH_TOO_LARGE = (
    "The publish document is larger than 50 MB ({limit} bytes). It carries the tarball in base64, which leaves about "
    "37 MB for the tarball: take what is not needed out of the package."
)
_CUT_SHORT = "The request body ended before its end was due: send it again."


class CountedInput(io.RawIOBase):
    """``wsgi.input`` with an end: it is never read past Content-Length."""

    def __init__(self, source: InputStream, length: int | None) -> None:
        super().__init__()
        self.source = source
        self.remaining = length  # bytes; None for a body that ends by itself
        self.is_at_end = length == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        size = len(view) if self.remaining is None else min(len(view), self.remaining)
        data = self.take(size) if size and not self.is_at_end else b""
        if not data:
            self.is_at_end = True
            return 0
        view[: len(data)] = data
        if self.remaining is not None:
            self.remaining -= len(data)
        return len(data)

    def take(self, size: int) -> bytes:
        """Reads from the server once.

        Raises:
            BadRequest: the connection or a chunk broke off. Each server has its own exceptions for that.
        """
        try:
            return self.source.read(size)
        except Exception as error:
            self.is_at_end = True
            raise BadRequest(_CUT_SHORT, code="body-cut-short") from error


def content_length(environ: WSGIEnvironment) -> int | None:
    """Returns the announced length in bytes: 0 without a body, None for a chunked one.

    Raises:
        BadRequest: Content-Length is not a number.
        LengthRequired: the body is chunked and this server does not hand such bodies over.
    """
    if environ.get("HTTP_TRANSFER_ENCODING", "").strip().lower() == "chunked":
        if not environ.get("wsgi.input_terminated"):
            raise LengthRequired("This server needs a Content-Length: send the body whole instead of in chunks.")
        return None
    length = whole_number(environ.get("CONTENT_LENGTH") or "0", _MAX_DIGITS)
    if length is None:
        raise BadRequest("The Content-Length is not a number.")
    return length


def count_input(environ: WSGIEnvironment) -> CountedInput | None:
    """Puts an input that ends where the body does into *environ*, and returns it, to be drained by `drain`.

    None is returned for a request without a body: its input is empty then.

    Raises:
        BadRequest, LengthRequired: see `content_length`.
    """
    if environ.get("CONTENT_LENGTH") in _EMPTY and not environ.get("HTTP_TRANSFER_ENCODING"):
        environ["wsgi.input"] = io.BytesIO()
        return None
    counted = CountedInput(environ["wsgi.input"], content_length(environ))
    environ["wsgi.input"] = io.BufferedReader(counted, CHUNK)
    return counted


def finish(environ: WSGIEnvironment, counted: CountedInput, *, stranger: bool) -> None:
    """Makes sure that an error response arrives while the client may still send; leaves that to a server that can.

    A *stranger* is a client without the right to what it asks for: only a little of its body is read.
    """
    linger = environ.get(LINGER)
    if linger is None:
        drain(counted, stranger=stranger)
    elif not stranger:
        linger()


def drain(counted: CountedInput, *, stranger: bool = False) -> None:
    """Reads the rest of a body and discards it, bounded in bytes and time. For *stranger*, see `finish`.

    npm shows a broken pipe instead of an answer that arrives while it still sends.
    """
    limit = STRANGER_DRAIN_LIMIT if stranger else DRAIN_LIMIT
    deadline = time.monotonic() + (STRANGER_DRAIN_SECONDS if stranger else DRAIN_SECONDS)
    buffer = bytearray(CHUNK)
    drained = 0
    while drained < limit and time.monotonic() < deadline:
        try:
            size = counted.readinto(buffer)
        except BadRequest:  # the client went away
            return
        if not size:
            return
        drained += size


def raw_chunks(environ: WSGIEnvironment, limit: int) -> Iterator[bytes]:
    """Yields the body as it came, in pieces.

    Raises:
        PayloadTooLarge: it is longer than *limit* bytes. An announced length is refused before the first byte is read.
        BadRequest: it ended before its Content-Length, or broke off.
        LengthRequired: see `content_length`.
    """
    length = content_length(environ)
    if length is not None and length > limit:
        raise too_large(limit)
    source, taken = environ["wsgi.input"], 0
    while length is None or taken < length:
        chunk = source.read(CHUNK if length is None else min(CHUNK, length - taken))
        if not chunk:
            break
        taken += len(chunk)
        if taken > limit:
            raise too_large(limit)
        yield chunk
    if length is not None and taken < length:
        raise BadRequest(_CUT_SHORT, code="body-cut-short")


def read_body(environ: WSGIEnvironment, limit: int) -> bytearray:
    """Returns the whole body, its Content-Encoding (gzip, deflate) undone; *limit* bounds the bytes before and after.

    Raises:
        PayloadTooLarge, BadRequest, LengthRequired: see `raw_chunks`; also for an encoding that is unknown or broken.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    chunks = raw_chunks(environ, limit)
    if encoding in ENCODINGS:
        chunks = _inflated(chunks, limit)
    elif encoding not in ("", "identity"):
        raise BadRequest("Only gzip and deflate are understood as Content-Encoding of a request.")
    body = bytearray()
    for chunk in chunks:
        body += chunk
    return body


def _inflated(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    taken = 0
    try:
        for piece in inflated(chunks):
            taken += len(piece)
            if taken > limit:
                raise too_large(limit)
            yield piece
    except TrailingBytes as error:
        raise BadRequest("Something follows the compressed request body.") from error
    except CutShort as error:
        raise BadRequest(_CUT_SHORT, code="body-cut-short") from error
    except InflateError as error:
        raise BadRequest("The request body is not what its Content-Encoding says.") from error


def too_large(limit: int) -> PayloadTooLarge:
    """Returns the 413 for a body over *limit* bytes."""
    return PayloadTooLarge((_PUBLISH_TOO_LARGE if limit == PUBLISH_LIMIT else _TOO_LARGE).format(limit=limit))
