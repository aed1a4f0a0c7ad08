"""What clients send up: documents on their way to the upstream, bounded and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from nproxy_mw.errors import BadRequest, NproxyError
from nproxy_mw.http.bodies import LINGER, content_length, raw_chunks, too_large
from nproxy_mw.json_values import parse_object
from nproxy_mw.npm.names import Name
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.rewriting import UrlRewriter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REWRITE_LIMIT = 16 * 2**20  # bytes of an upload that is read whole to put its URLs right


def by_name(answer: UpstreamResponse) -> dict[str, str]:
    """Returns the answer's headers by lower-case name; the first of several."""
    return {name.lower(): value for name, value in reversed(answer.headers)}


class Upload:
    """A client's document on its way up: bounded, streamed, and drained when the upstream does not take all of it.

    A small one is read whole, so that the URLs it took from our packuments are the upstream's again: what npm sends to
    deprecate a version is the packument it was given. *length* is in bytes; None for a body that ends by itself.

    A document of the package *name* must say so: under a public name, an internal package's would go up unseen.
    """

    def __init__(self, environ: WSGIEnvironment, limit: int, rewriter: UrlRewriter, name: Name | None = None) -> None:
        self.length = content_length(environ)
        self._linger = environ.get(LINGER)
        # Said here, before the upstream hears of the request.
        if self.length is not None and self.length > limit:
            raise too_large(limit)
        encoding = environ.get("HTTP_CONTENT_ENCODING", "").lower()
        if encoding not in ("", "identity"):
            raise BadRequest("A document for the upstream is sent as it is, without a Content-Encoding.")
        self._chunks = raw_chunks(environ, limit)
        if self.length is not None and self.length <= REWRITE_LIMIT:
            whole = rewriter.to_upstream(b"".join(self._chunks))
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
        if self._linger is not None:
            self._linger()
            return
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
_ID = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"_id"\s*:\s*"([^"\\]*)"')
