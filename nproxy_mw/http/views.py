"""Finished answers: a packument in one form, encoded and tagged once, and kept until it changes.

The hot path of a registry is the same packument again and again; it must touch neither JSON nor gzip. What is kept is
keyed by everything the bytes depend on, the storage revision included, so nothing here is ever out of date.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nproxy_mw.http import messages
from nproxy_mw.http.negotiation import etag_matches
from nproxy_mw.lru import Lru

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CAPACITY = 64 * 2**20  # bytes of finished bodies in one process
MAX_VIEWS = 65_536
GZIP_LEVEL = 6
GZIP_FROM = 1024  # bytes; below it gzip costs more than it saves


@dataclass(frozen=True, slots=True)
class View:
    """A finished body, its ETag (with quotes) and all the headers that describe it."""

    body: bytes
    etag: str
    headers: messages.Headers

    def response(self, environ: WSGIEnvironment) -> messages.Response:
        """Returns 200, or 304 when the client has these very bytes."""
        if etag_matches(environ, self.etag):
            return messages.not_modified(self.etag, messages.PRIVATE)
        return messages.Response(200, self.headers, self.body)


def make_view(body: bytes, content_type: str, *, gzipped: bool) -> View:
    """Finishes *body*: encoded when asked for and worth it, tagged by its final bytes."""
    headers = [("Content-Type", content_type), *messages.PRIVATE]
    if gzipped and len(body) >= GZIP_FROM:
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return View(body, etag, [*headers, ("ETag", etag)])


class Views:
    """Finished views, at most *capacity* bytes of bodies; the least recently used are dropped first."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._views: Lru[Hashable, View] = Lru(max_items=MAX_VIEWS, max_weight=capacity)

    @property
    def size(self) -> int:
        """The bytes of all bodies that are kept."""
        return self._views.weight

    def get(self, key: Hashable, make: Callable[[], View]) -> View:
        """Returns the view under *key*, finished by *make* when it is not kept. Two threads may both make it."""
        view = self._views.get(key)
        if view is None:
            view = make()
            self._views.put(key, view, len(view.body))
        return view
