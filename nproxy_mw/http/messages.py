"""The few WSGI facts that the layers share: what a client asked for, and how an answer is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_etags

from nproxy_mw.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = Sequence[tuple[str, str]]

JSON = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"
"""Media type of the abbreviated packument
(https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md)."""

PRIVATE: Headers = (("Cache-Control", "private, no-cache"), ("Vary", "Accept, Accept-Encoding, Authorization"))
"""For answers that depend on who asks: clients may keep them and ask again by ETag, shared caches may not."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)


def method(environ: WSGIEnvironment) -> str:
    """The verb, with HEAD told apart from GET by `is_head` only."""
    verb = str(environ["REQUEST_METHOD"])
    return "GET" if verb == "HEAD" else verb


def is_head(environ: WSGIEnvironment) -> bool:
    """Whether only the headers were asked for."""
    return bool(environ["REQUEST_METHOD"] == "HEAD")


def is_for_write(environ: WSGIEnvironment) -> bool:
    """Whether npm reads what it is about to change: it says so by ``?write=true``."""
    return "write=true" in environ.get("QUERY_STRING", "").split("&")


def base_url(environ: WSGIEnvironment, public_url: str | None = None) -> str:
    """Where clients reach this registry, without a trailing slash.

    *public_url* when it is given. Otherwise what the server says of this request: behind a proxy that is only right
    when the host application trusts the proxy's headers (werkzeug's ProxyFix).

    Raises:
        BadRequest: the Host header is not a host.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if not _HOST.fullmatch(host):
        raise BadRequest("The Host header is not a host name.", code="invalid-host")
    prefix = quote(environ.get("SCRIPT_NAME", "").encode("latin-1"), safe="/@~!*()")
    return f"{environ['wsgi.url_scheme']}://{host}{prefix}".rstrip("/")


def wants_abbreviated(environ: WSGIEnvironment) -> bool:
    """Whether the client prefers the abbreviated packument over the full one."""
    accept: str = environ.get("HTTP_ACCEPT", "")
    return ABBREVIATED in accept and _prefers_abbreviated(accept)


@lru_cache(maxsize=256)
def _prefers_abbreviated(accept: str) -> bool:
    return parse_accept_header(accept, MIMEAccept).best_match([JSON, ABBREVIATED]) == ABBREVIATED


def accepts_gzip(environ: WSGIEnvironment) -> bool:
    """Whether the client takes a gzipped answer."""
    accept: str = environ.get("HTTP_ACCEPT_ENCODING", "")
    return "gzip" in accept and _takes_gzip(accept)


@lru_cache(maxsize=256)
def _takes_gzip(accept: str) -> bool:
    return float(parse_accept_header(accept)["gzip"]) > 0


def etag_matches(environ: WSGIEnvironment, etag: str) -> bool:
    """Whether If-None-Match names *etag* (given with its quotes). Weak comparison, RFC 9110 section 13.1.2."""
    header: str = environ.get("HTTP_IF_NONE_MATCH", "")
    if not header:
        return False
    return header == etag or parse_etags(header).contains_weak(etag.strip('"'))


def send(
    environ: WSGIEnvironment, start_response: StartResponse, status: int, headers: Headers, body: bytes
) -> Iterable[bytes]:
    """Answers *body* whole; to a HEAD request, its headers alone."""
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [] if is_head(environ) else [body]


def send_json(
    environ: WSGIEnvironment, start_response: StartResponse, value: Any, *, status: int = 200, headers: Headers = ()
) -> Iterable[bytes]:
    """Answers *value* as JSON."""
    return send(environ, start_response, status, [("Content-Type", JSON), *headers], orjson.dumps(value))


def send_not_modified(start_response: StartResponse, etag: str, headers: Headers) -> Iterable[bytes]:
    """Answers 304: what the client has still holds."""
    start_response("304 Not Modified", [("ETag", etag), *headers])
    return []


def ask(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[int, bytes]:
    """What *app* answers to a plain GET of the path in *environ*: the status and the whole body, not encoded."""
    status = ""

    def start(line: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        nonlocal status
        status = line
        return lambda data: None

    dropped = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_ACCEPT_ENCODING", "HTTP_RANGE")
    plain = {key: value for key, value in environ.items() if key not in dropped}
    chunks = app({**plain, "REQUEST_METHOD": "GET"}, start)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return int(status[:3]), body
