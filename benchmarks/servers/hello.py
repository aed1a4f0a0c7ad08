"""The least that a WSGI application can do: ``/N`` is N bytes, and a conditional request is 304."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_SIZE = 64 * 1024 * 1024
_ETAG = ("ETag", '"hello"')
_TYPE = ("Content-Type", "application/octet-stream")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Replies with as many bytes as the path names; with one if it names no number."""
    if "HTTP_IF_NONE_MATCH" in environ:
        start_response("304 Not Modified", [_ETAG])
        return []
    body = _bytes(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [_ETAG, _TYPE, ("Content-Length", str(len(body)))])
    return [body]


@lru_cache(maxsize=8)
def _bytes(size: str) -> bytes:
    return bytes(min(int(size), MAX_SIZE) if size.isdecimal() else 1)
