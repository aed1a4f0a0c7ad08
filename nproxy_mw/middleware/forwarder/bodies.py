"""Bodies between a client and the upstream: documents finished for the client, tarballs and uploads on their way."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from nproxy_mw.errors import BadRequest, NproxyError, RangeNotSatisfiable
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import content_length, raw_chunks, too_large
from nproxy_mw.http.negotiation import accepts_gzip, etag_matches
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.names import Name
from nproxy_mw.upstream.documents import UrlRewriter
from nproxy_mw.upstream.relaying import OF_TARBALLS, passed
from nproxy_mw.upstream.responses import UpstreamResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GZIP_LEVEL = 1  # made anew for each request: speed before size
GZIP_FROM = 1024  # bytes
REWRITE_LIMIT = 16 * 2**20  # bytes of an upload that is read whole to put its URLs right

_TARBALL: messages.Headers = (
    ("Content-Security-Policy", "sandbox"),
    # The bytes of a version never change. Who may have them can depend on who asks, so shared caches stay out.
    ("Cache-Control", "private, max-age=31536000, immutable"),
)


def document_response(environ: WSGIEnvironment, body: bytes, content_type: str = messages.JSON) -> messages.Response:
    """Returns *body*, gzipped when the client takes that, or 304; tagged by its bytes and its encoding."""
    encoded = len(body) >= GZIP_FROM and accepts_gzip(environ)
    # The same bytes are always encoded the same, so the ETag need not wait for the encoding.
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}{"-gzip" if encoded else ""}"'
    if messages.is_read(environ) and etag_matches(environ, etag):
        return messages.not_modified(etag, messages.PRIVATE)
    headers = [("Content-Type", content_type), *messages.PRIVATE, ("ETag", etag)]
    if encoded:
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return messages.Response(200, headers, body)


def tarball_response(answer: UpstreamResponse) -> messages.Response:
    """Returns a tarball of the upstream (200, 206, 304 or 416), which closes *answer* in the end.

    Raises:
        RangeNotSatisfiable: the upstream says so.
    """
    headers = passed(by_name(answer), OF_TARBALLS)
    if answer.status == 416:
        answer.close()
        raise RangeNotSatisfiable(
            "The tarball has no such range.", content_range=dict(headers).get("Content-Range", "")
        )
    if answer.status == 304:  # describes no content
        answer.close()
        headers = [header for header in headers if header[0] != "Content-Length"]
        return messages.Response(304, [*_TARBALL, *headers])
    content_type = ("Content-Type", "application/octet-stream")
    return messages.Response(answer.status, [*_TARBALL, *headers, content_type], Streamed(answer))


def by_name(answer: UpstreamResponse) -> dict[str, str]:
    """The answer's headers by lower-case name; the first of several."""
    return {name.lower(): value for name, value in reversed(answer.headers)}


class Streamed:
    """A tarball on its way down. Closing it gives the upstream's connection back, wherever the client stopped."""

    def __init__(self, answer: UpstreamResponse) -> None:
        self._answer = answer
        self._chunks = answer.stream()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        """Ends the request to the upstream."""
        self._answer.close()


class Upload:
    """A client's document on its way up: bounded, streamed, and drained when the upstream does not take all of it.

    A small one is read whole, so that the URLs it took from our packuments are the upstream's again: what npm sends to
    deprecate a version is the packument it was given. *length* is in bytes; None for a body that ends by itself.

    A document of the package *name* must say so: under a public name, an internal package's would go up unseen.
    """

    def __init__(self, environ: WSGIEnvironment, limit: int, rewriter: UrlRewriter, name: Name | None = None) -> None:
        self.length = content_length(environ)
        # Said here, before the upstream hears of the request.
        if self.length is not None and self.length > limit:
            raise too_large(limit)
        encoding = environ.get("HTTP_CONTENT_ENCODING", "").lower()
        if encoding not in ("", "identity"):
            raise BadRequest("A document for the upstream is sent as it is, without a Content-Encoding.")
        self._chunks = raw_chunks(environ, limit)
        if self.length is not None and self.length <= REWRITE_LIMIT:
            whole = rewriter.returned(b"".join(self._chunks))
            self.length = len(whole)
            self._chunks = iter([whole] if whole else [])
            if name is not None:
                check_names(name, whole)
        elif name is not None:
            head = next(self._chunks, b"")
            check_beginning(name, head)
            self._chunks = chain([head], self._chunks)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Content-Length, where it is known."""
        return [] if self.length is None else [("Content-Length", str(self.length))]

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def drain(self) -> None:
        """Reads what is left: a client that is answered while it still sends shows a broken pipe, not the answer."""
        try:
            for _ in self._chunks:
                pass
        except (NproxyError, OSError):  # the upstream has answered already; the client's fault is of no interest now
            return


def check_names(name: Name, document: bytes) -> None:
    """Passes when *document* is one of the package *name*. Raises `BadRequest`."""
    parsed = parse_object(document)
    if {parsed.get("_id", str(name)), parsed.get("name", str(name))} != {str(name)}:
        raise BadRequest(_ANOTHER, code="invalid-publication")


def check_beginning(name: Name, head: bytes) -> None:
    """Passes when a document too large to be read whole begins like one of the package *name*. Raises `BadRequest`.

    All clients send ``_id`` before anything else.
    """
    found = _ID.match(head)
    if found is None or found[1] != str(name).encode():
        raise BadRequest(_ANOTHER, code="invalid-publication")


_ANOTHER = "The document names another package than the URL, or does not begin with its _id."
_ID = re.compile(rb'\s*\{\s*"_id"\s*:\s*"([^"\\]*)"')
