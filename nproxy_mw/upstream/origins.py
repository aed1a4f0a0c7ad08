"""Where the upstream is: URLs split into an origin and a target, so that no URL decides alone where a request goes.

A connection is only ever opened to an `Origin` that the configuration names. What a document or a redirect says is
parsed, compared with those, and only its path and query are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from msgspec import Struct
from urllib3.exceptions import LocationParseError
from urllib3.util import make_headers, parse_url

from nproxy_mw.errors import UpstreamUnavailable

_PORTS = {"http": 80, "https": 443}
# Visible ASCII without the backslash, which browsers read as a slash and RFC 3986 does not know.
_URL = re.compile(r"[!-\[\]-~]+", re.ASCII)
_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class UpstreamElsewhere(UpstreamUnavailable):
    """502: the upstream sends us where this registry does not go, and would do so again."""


class Origin(Struct, frozen=True):
    """Scheme, host and port: what a browser calls an origin."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """Host and port; the port only when it is not the scheme's own."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UpstreamUrl:
    """The configured address: origin, path prefix (``""`` or ``"/npm"``), and credentials kept out of ``repr``."""

    origin: Origin
    prefix: str = ""
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.origin}{self.prefix}"


def parse_upstream(url: str, token: str | None = None) -> UpstreamUrl:
    """Parses the upstream's URL as an operator writes it; it may carry ``user:password@`` and a path prefix.

    *token* is a Bearer token that takes the place of a user and a password.

    Raises:
        ValueError: it is not an http or https URL with a host, or has a query or a fragment; or there are a token and a
            user; or the token has characters that no token has.
    """
    origin, auth, target = _split(url, "The upstream URL")
    if "?" in target or "#" in url:
        raise ValueError("The upstream URL must have no query and no fragment.")
    if token is not None and auth:
        raise ValueError("The upstream URL has a user, and a token is given too: leave one of them out.")
    if token is not None and not _TOKEN.fullmatch(token):
        raise ValueError("The upstream token must be one word of visible characters.")
    authorization = make_headers(basic_auth=unquote(auth))["authorization"] if auth else None
    return UpstreamUrl(origin, target.rstrip("/"), f"Bearer {token}" if token is not None else authorization)


def parse_origin(url: str) -> Origin:
    """Parses an origin that tarballs and redirects may lie at: ``https://files.example``.

    Raises:
        ValueError: it is no origin, or more than one.
    """
    origin, auth, target = _split(url, "An allowed origin")
    if auth is not None or target != "/" or "#" in url:
        raise ValueError("An allowed origin is scheme, host and port alone, like https://files.example.")
    return origin


def check_proxies(proxies: Mapping[str, str]) -> Mapping[str, str]:
    """Returns *proxies* when each is one that can be asked: an http or https URL, with or without its scheme.

    Raises:
        ValueError: one is not.
    """
    for scheme in ("http", "https"):
        if proxy := proxies.get(scheme):
            _split(proxy if "://" in proxy else f"http://{proxy}", f"The proxy for {scheme}")
    return proxies


def split_url(url: str) -> tuple[Origin, str]:
    """The origin of an absolute URL and the target (path and query) to ask it for.

    Raises:
        ValueError: it is not an http or https URL, or it carries credentials.
    """
    origin, auth, target = _split(url, "The URL")
    if auth is not None:
        raise ValueError("The URL must not carry credentials.")
    return origin, target


def _split(url: str, what: str) -> tuple[Origin, str | None, str]:
    # The message never repeats the URL: it may hold a password.
    failure = ValueError(f"{what} must be like https://upstream.example: http or https, and a host.")
    if not _URL.fullmatch(url):
        raise failure
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise failure from None
    if "://" not in url or parsed.scheme not in _PORTS or not parsed.host or parsed.port == 0:
        raise failure
    origin = Origin(parsed.scheme, parsed.host, parsed.port or _PORTS[parsed.scheme])
    return origin, parsed.auth, parsed.request_uri
