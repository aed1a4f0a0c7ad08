"""What a client asks for by its headers: the form, the encoding, a condition; and what it keeps for us.

Parsers of headers take time that can grow faster than the header. Each header here is read up to a length that no
client comes near; one beyond it counts as not sent.

What npm and its like send is read here. werkzeug reads everything else as the RFCs say, and is imported when it comes:
it brings 60 modules, of which this needs three, and a server that only installs needs none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from nproxy_mw.http.messages import ABBREVIATED, JSON
from nproxy_mw.npm.forms import Form

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

INSTALLING = frozenset({"install", "ci", "update", "exec", "dedupe", "install-test"})
"""The commands, as npm names them in its header ``npm-command``, that read packuments to install and not to show."""

_USUAL_ABBREVIATED = frozenset({ABBREVIATED, f"{ABBREVIATED}; q=1.0, {JSON}; q=0.8, */*"})
"""What installers send that want the abbreviated form: npm, pnpm, yarn, bun and deno the longer one."""

_ONE_ETAG = re.compile(r'(?:W/)?"[^"]*"')

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
    if name not in text:
        return ""
    from werkzeug.http import parse_cookie

    readable = text.encode("latin-1").decode("utf-8", "replace")
    return parse_cookie(readable.encode().decode("latin-1")).get(name) or ""


def form_wanted(environ: WSGIEnvironment, *, slim: bool) -> Form:
    """Returns the form of a packument that the client asks for; *slim* tells whether the slim one is offered.

    It is offered to npm's commands that install. Those that show a packument to people get all of it.
    """
    accept: str = environ.get("HTTP_ACCEPT", "")
    is_install = slim and environ.get("HTTP_NPM_COMMAND") in INSTALLING
    return _form(accept if len(accept) <= LONGEST else "", is_install)


@lru_cache(maxsize=256)
def _form(accept: str, is_install: bool) -> Form:
    if ABBREVIATED in accept and (accept in _USUAL_ABBREVIATED or _prefers_abbreviated(accept)):
        return Form.ABBREVIATED
    return Form.SLIM if is_install else Form.FULL


def _prefers_abbreviated(accept: str) -> bool:
    from werkzeug.datastructures import MIMEAccept
    from werkzeug.http import parse_accept_header

    return parse_accept_header(accept, MIMEAccept).best_match([JSON, ABBREVIATED]) == ABBREVIATED


def accepts_gzip(environ: WSGIEnvironment) -> bool:
    """Returns whether the client takes a gzipped answer."""
    accept: str = environ.get("HTTP_ACCEPT_ENCODING", "")
    return "gzip" in accept and len(accept) <= LONGEST and _takes_gzip(accept)


@lru_cache(maxsize=256)
def _takes_gzip(accept: str) -> bool:
    if ";" not in accept and '"' not in accept:
        return not {"gzip", "*"}.isdisjoint(part.strip().lower() for part in accept.split(","))
    from werkzeug.http import parse_accept_header

    return float(parse_accept_header(accept)["gzip"]) > 0


def etag_matches(environ: WSGIEnvironment, etag: str) -> bool:
    """Returns whether If-None-Match names *etag*, given with its quotes: weak comparison, RFC 9110 section 13.1.2."""
    condition = header(environ, "HTTP_IF_NONE_MATCH")
    if not condition:
        return False
    if _ONE_ETAG.fullmatch(condition):
        return condition.removeprefix("W/") == etag
    from werkzeug.http import parse_etags

    return parse_etags(condition).contains_weak(etag.strip('"'))


def is_for_write(environ: WSGIEnvironment) -> bool:
    """Returns whether npm reads what it is about to change: it says so by ``?write=true``."""
    return "write=true" in header(environ, "QUERY_STRING").split("&")
