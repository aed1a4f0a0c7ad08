"""Where the server listens, where clients reach it, and where the upstream is: checked before anything starts."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from nproxy_mw.cli.npm_config import configured_registry
from nproxy_mw.cli.options import UsageError
from nproxy_mw.upstream.origins import Origin, parse_upstream

_BIND = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})", re.ASCII)
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Bind:
    """A host (a name or an address) and a port; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The upstream's URL, or None for internal packages only, and what the operator should know about it."""

    url: str | None
    remark: str = ""


def parse_bind(text: str) -> Bind:
    """Parses ``HOST:PORT`` or ``:PORT``.

    Raises:
        UsageError: it is neither.
    """
    match = _BIND.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(f"--bind {text!r} is not HOST:PORT, like 127.0.0.1:4874.")
    return Bind(match["v6"] or match["host"] or "0.0.0.0", int(match["port"]))  # noqa: S104 - ':PORT' asks for it


def check_public_url(url: str | None) -> str | None:
    """Answers *url* without its trailing slash.

    Raises:
        UsageError: it is not an http or https URL of a host.
    """
    if url is None:
        return None
    try:
        parsed = parse_upstream(url)
    except ValueError as error:
        raise UsageError("--public-url is not a URL like https://npm.acme.example, http or https.") from error
    if parsed.authorization:
        raise UsageError("--public-url must not hold a password: clients see it.")
    return str(parsed)


def check_upstream(given: str | None, bind: Bind, public_url: str | None) -> Upstream:
    """Which upstream is meant: *given*, ``none``, or the one that this user's npm is configured with.

    Raises:
        UsageError: it is no URL, or it is this server itself.
    """
    if given == "none":
        return Upstream(None, "Internal packages only, as asked with --upstream none.")
    url = given or configured_registry()
    if url is None:
        return Upstream(
            None,
            "No npm on this machine says which upstream to use: internal packages only. Give one with --upstream URL.",
        )
    try:
        parsed = parse_upstream(url)
    except ValueError as error:
        raise UsageError("--upstream is not a URL like https://upstream.example, http or https.") from error
    if _is_ourselves(parsed.origin, bind) or (public_url is not None and f"{parsed}/".startswith(f"{public_url}/")):
        raise UsageError(
            f"The upstream {parsed} is this server itself: give the registry behind it with --upstream URL, or none."
        )
    return Upstream(url, f"Everything else comes from {parsed}.")


def _is_ourselves(upstream: Origin, bind: Bind) -> bool:
    if upstream.port != bind.port:
        return False
    own = _addresses(bind.host)
    if bind.host in _WILDCARDS:
        own |= _addresses(socket.gethostname()) | {"127.0.0.1", "::1"}
    return bool(own & _addresses(upstream.host.strip("[]")))


def _addresses(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
