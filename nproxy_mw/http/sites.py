"""Which host a request was sent to, where clients reach this registry, and whether a page of another site asks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from nproxy_mw.errors import BadRequest, Forbidden

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_AUTHORITY = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def base_url(environ: WSGIEnvironment, public_url: str | None = None) -> str:
    """Returns where clients reach this registry, without a trailing slash.

    That is *public_url* when it is given. Otherwise it is what the server says of this request: behind a proxy that is
    only right when the host application trusts the proxy's headers (werkzeug's ProxyFix).

    Raises:
        BadRequest: the Host header is not a host.
    """
    if public_url is not None:
        return public_url.rstrip("/")
    host = environ.get("HTTP_HOST") or _authority(environ)
    return _base(environ["wsgi.url_scheme"], host, environ.get("SCRIPT_NAME", ""))


@lru_cache(maxsize=256)
def _base(scheme: str, host: str, script_name: str) -> str:
    if not _AUTHORITY.fullmatch(host):
        raise BadRequest("The Host header is not a host name.", code="invalid-host")
    return f"{scheme}://{host}{quote(script_name.encode('latin-1'), safe='/@~!*()')}".rstrip("/")


def host_name(environ: WSGIEnvironment) -> str:
    """Returns the host that the client named: lower case, without its port and the dot of the root; empty for none.

    Behind a proxy that is only right when the host application trusts the proxy's headers (werkzeug's ProxyFix).
    """
    match = _AUTHORITY.fullmatch(_authority(environ))
    return match["name"].lower().removesuffix(".") if match else ""


def check_domain(domain: str) -> str:
    """Returns *domain* when it is a domain's name, in lower case.

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
    """Returns whether *origin* is this host. The scheme is not compared: behind a proxy it may be unknown."""
    try:
        authority = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(authority) and authority.lower() == _authority(environ).lower()


def _authority(environ: WSGIEnvironment) -> str:
    return environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
