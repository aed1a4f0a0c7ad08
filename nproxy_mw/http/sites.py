"""Which host a request was sent to, and whether a page of another site made a browser send it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nproxy_mw.errors import Forbidden

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_AUTHORITY = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def host_name(environ: WSGIEnvironment) -> str:
    """The host that the client named: lower case, without its port and the dot of the root; empty when it is none.

    Behind a proxy that is only right when the host application trusts the proxy's headers (werkzeug's ProxyFix).
    """
    return _name(environ.get("HTTP_HOST") or environ["SERVER_NAME"])


def check_domain(domain: str) -> str:
    """Answers *domain* when it is a domain's name, in lower case.

    Raises:
        ValueError: it is not; neither a port nor a scheme belongs to it.
    """
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise ValueError("A domain is a host's name in lower case, like registry.example: no port, no scheme.")
    return domain


def refuse_other_sites(environ: WSGIEnvironment) -> None:
    """Passes unless a browser says that a page of another site makes it change something here.

    Browsers say so in ``Sec-Fetch-Site``, or in ``Origin`` where they are older or the connection is not encrypted
    (https://www.w3.org/TR/fetch-metadata/). Clients that are no browsers send neither.

    Raises:
        Forbidden: it does.
    """
    if environ["REQUEST_METHOD"] in _SAFE:
        return
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    is_ours = site in {"same-origin", "none"} if site else origin is None or _is_origin(origin, environ)
    if not is_ours:
        raise Forbidden("A page of another site may not do this.", code="other-site")


def _is_origin(origin: str, environ: WSGIEnvironment) -> bool:
    """Whether *origin* is this host. The scheme is left out: behind a proxy we may not know it."""
    try:
        authority = urlsplit(origin).netloc
    except ValueError:
        return False
    asked = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return bool(authority) and authority.lower() == asked.lower()


def _name(authority: str) -> str:
    match = _AUTHORITY.fullmatch(authority)
    return match["name"].lower().removesuffix(".") if match else ""
