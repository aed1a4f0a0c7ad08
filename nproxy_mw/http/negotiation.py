"""What a client asks for by its headers: the form, the encoding, a condition; and what it keeps for us.

Parsers of headers take time that can grow faster than the header. Each header here is read up to a length that no
client comes near; one beyond it counts as not sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie, parse_etags

from nproxy_mw.http.messages import ABBREVIATED, JSON

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LONGEST = 2048
"""Characters of a header that are parsed. Browsers send some 200 in Accept; npm sends one ETag of 40."""

LONGEST_COOKIES = 16 * 1024
"""Characters of all cookies together."""


def header(environ: WSGIEnvironment, key: str, longest: int = LONGEST) -> str:
    """Returns the header under *key* of the environ; empty when it was not sent, or is longer than *longest*."""
    value: str = environ.get(key, "")
    return value if len(value) <= longest else ""


def cookie(environ: WSGIEnvironment, name: str) -> str:
    """Returns the value of the cookie *name*; empty when there is none.

    Cookies of other applications at this host come along and may hold any bytes. They must not be in the way.
    """
    text = header(environ, "HTTP_COOKIE", LONGEST_COOKIES)
    readable = text.encode("latin-1").decode("utf-8", "replace")
    return parse_cookie(readable.encode().decode("latin-1")).get(name) or ""


def wants_abbreviated(environ: WSGIEnvironment) -> bool:
    """Returns whether the client prefers the abbreviated packument over the full one."""
    accept = header(environ, "HTTP_ACCEPT")
    return ABBREVIATED in accept and _prefers_abbreviated(accept)


@lru_cache(maxsize=256)
def _prefers_abbreviated(accept: str) -> bool:
    return parse_accept_header(accept, MIMEAccept).best_match([JSON, ABBREVIATED]) == ABBREVIATED


def accepts_gzip(environ: WSGIEnvironment) -> bool:
    """Returns whether the client takes a gzipped answer."""
    accept = header(environ, "HTTP_ACCEPT_ENCODING")
    return "gzip" in accept and _takes_gzip(accept)


@lru_cache(maxsize=256)
def _takes_gzip(accept: str) -> bool:
    return float(parse_accept_header(accept)["gzip"]) > 0


def etag_matches(environ: WSGIEnvironment, etag: str) -> bool:
    """Returns whether If-None-Match names *etag*, given with its quotes: weak comparison, RFC 9110 section 13.1.2."""
    condition = header(environ, "HTTP_IF_NONE_MATCH")
    if not condition:
        return False
    return condition == etag or parse_etags(condition).contains_weak(etag.strip('"'))


def is_for_write(environ: WSGIEnvironment) -> bool:
    """Returns whether npm reads what it is about to change: it says so by ``?write=true``."""
    return "write=true" in header(environ, "QUERY_STRING").split("&")
