"""Finished answers: a document in one form, encoded, tagged and with its headers, made once per revision and kept.

The hot path of a registry is the same packument again and again. It touches neither JSON nor gzip: the source is asked
whether the document is still at the revision of the view, and the view is sent. So nothing here is ever out of date.

An ETag is made from the revision and from what the client asked for, not from the body. So a client that has the
document is told so before a body is made, which costs the same for 2 kB and for 20 MB.

A view of a large document takes long to make, so it may be put on a shelf, where other processes find it.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from msgspec import Struct

from nproxy_mw.copies import replace
from nproxy_mw.errors import Missing
from nproxy_mw.http.compressing import gzipped
from nproxy_mw.http.messages import JSON, File, Headers, Response, is_read
from nproxy_mw.http.negotiation import accepts_gzip, etag_matches
from nproxy_mw.lru import Lru
from nproxy_mw.npm.documents import Document

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ViewKey: TypeAlias = tuple[str, ...]
"""What a body depends on apart from the document: whose it is, its name, its form, the URLs in it."""


class Read(Protocol):
    """Reads a document from a source of packages, unless it is at a revision that is known."""

    def __call__(self, *, unless: str) -> Document | None: ...


class Shelf(Protocol):
    """Where views are kept that other processes find, too. It raises nothing."""

    def find(self, key: ViewKey) -> View | None:
        """Returns the view under *key*, of whatever revision; None when there is none."""
        ...

    def keep(self, key: ViewKey, view: View) -> View:
        """Keeps *view* in place of the one before, and returns it, its body perhaps in a file."""
        ...


SHELVED_FROM = 64 * 1024
"""Bytes of a document from which making its view takes several times as long as putting it on a shelf."""

CAPACITY = 64 * 2**20  # bytes of finished bodies in one process
MAX_VIEWS = 65_536
GZIP_FROM = 1024  # bytes; below it gzip costs more than it saves

RENDERING = "3"
"""Names the way in which bodies are made. It must change with them, or clients keep what an older version made."""

_SHARED: Headers = (
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept, Accept-Encoding, Authorization, npm-command"),
)
_ENCODINGS = {False: "", True: "gzip"}


class View(Struct, frozen=True):
    """A finished answer, made from a document at *revision*. *etag* has its quotes.

    If *open_body* is given, it opens the file with the body, or raises `Missing`.
    """

    revision: str
    etag: str
    found: Response
    size: int  # bytes of its body
    open_body: Callable[[], BinaryIO] | None = None

    @property
    def weight(self) -> int:
        """Bytes of its body in memory."""
        return self.size if self.open_body is None else 0

    def response(self, environ: WSGIEnvironment) -> Response:
        """Returns 200, or 304 when the client has it. Raises `Missing` when the file with the body is gone."""
        if "HTTP_IF_NONE_MATCH" in environ and etag_matches(environ, self.etag):
            return unmodified(self.etag)
        return self.found if self.open_body is None else replace(self.found, body=File(self.open_body(), self.size))


def unmodified(etag: str) -> Response:
    """Returns the 304 for a client that has the view tagged *etag*."""
    return Response(304, [*_SHARED, ("ETag", etag)])


class Views:
    """Finished views, at most *capacity* bytes of bodies; the least recently used are dropped first.

    If *slim* is False, npm's installer gets the full packument that it asks for (see `nproxy_mw.npm.forms`).
    """

    def __init__(self, capacity: int = CAPACITY, *, slim: bool = True) -> None:
        self.slim = slim
        self._views: Lru[ViewKey, View] = Lru(max_items=MAX_VIEWS, max_weight=capacity)

    @property
    def size(self) -> int:
        """The bytes of all bodies that are kept."""
        return self._views.weight

    def respond(
        self,
        environ: WSGIEnvironment,
        key: ViewKey,
        read: Read,
        render: Callable[[Document], bytes],
        content_type: str = JSON,
        shelf: Shelf | None = None,
    ) -> Response:
        """Returns the view under *key*, or 304.

        *read* returns the document, or None when it is still at the revision of the view that is kept; *render* makes a
        body from it. What they raise comes out. Views of large documents are looked for on *shelf*, and put there.
        """
        key = (*key, _ENCODINGS[accepts_gzip(environ)])
        view = self._views.get(key) or self._shelved(key, shelf)
        document = read(unless=view.revision if view else "")
        if view is not None and (document is None or view.revision == document.revision):
            try:
                return view.response(environ)
            except Missing:
                self._views.discard(key)
                document = document or read(unless="")
        assert document is not None  # noqa: S101 - None means that "unless" held
        etag = etag_of(document.revision, key)
        # "*" asks whether there is anything: that shows when it is made.
        if environ.get("HTTP_IF_NONE_MATCH") != "*" and etag_matches(environ, etag):
            return unmodified(etag)
        view = self._finished(key, document, render, etag, content_type, shelf)
        return unmodified(etag) if etag_matches(environ, etag) else view.found

    def _shelved(self, key: ViewKey, shelf: Shelf | None) -> View | None:
        view = shelf.find(key) if shelf is not None else None
        if view is not None:
            self._views.put(key, view, view.weight)
        return view

    def _finished(
        self,
        key: ViewKey,
        document: Document,
        render: Callable[[Document], bytes],
        etag: str,
        content_type: str,
        shelf: Shelf | None,
    ) -> View:
        """Returns the view, its body in memory. Who asks next may get it from a file."""
        with document.alone():
            view = self._views.get(key)  # what another thread has finished meanwhile
            if view is None or view.revision != document.revision or view.open_body is not None:
                view = make_view(document, render(document), etag, content_type, is_gzipped=bool(key[-1]))
                is_shelved = shelf is not None and len(document.raw) >= SHELVED_FROM
                kept = shelf.keep(key, view) if shelf is not None and is_shelved else view
                self._views.put(key, kept, kept.weight)
            return view


def make_view(document: Document, body: bytes, etag: str, content_type: str, *, is_gzipped: bool) -> View:
    """Finishes *body*, which was made from *document*: in gzip when that is asked for and worth it."""
    headers = [("Content-Type", content_type), *_SHARED, ("ETag", etag)]
    if is_gzipped and len(body) >= GZIP_FROM:
        # What passes unchanged need not be compressed again.
        body = document.gzipped if document.gzipped and body == document.raw else gzipped(body)
        headers.append(("Content-Encoding", "gzip"))
    return View(document.revision, etag, Response(200, headers, body), len(body))


def small_response(environ: WSGIEnvironment, body: bytes) -> Response:
    """Returns *body*, JSON that is not worth keeping, tagged by its bytes; or 304."""
    etag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
    if is_read(environ) and etag_matches(environ, etag):
        return unmodified(etag)
    headers = [("Content-Type", JSON), *_SHARED, ("ETag", etag)]
    if len(body) >= GZIP_FROM and accepts_gzip(environ):
        return Response(200, [*headers, ("Content-Encoding", "gzip")], gzipped(body))
    return Response(200, headers, body)


def etag_of(revision: str, key: ViewKey) -> str:
    """Returns the ETag of the view under *key* of a document at *revision*, with its quotes."""
    parts = "\0".join((RENDERING, revision, *key))
    return f'"{blake2b(parts.encode(), digest_size=16).hexdigest()}"'
