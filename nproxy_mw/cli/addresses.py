"""Where the server listens, where clients reach it, and where the upstream is: checked before anything starts."""

from __future__ import annotations

import re
import socket

from msgspec import Struct

from nproxy_mw.cli.npm_config import configured_registry
from nproxy_mw.cli.options import UsageError
from nproxy_mw.cli.values import refused_as
from nproxy_mw.intelligence.web import FetchFailed, checked
from nproxy_mw.upstream.origins import Origin, check_proxies, parse_origin, parse_upstream

_BIND = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})", re.ASCII)
NONE = "none"
"""What is given as the upstream when there is none."""

_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to


class Bind(Struct, frozen=True):
    """A host (a name or an address) and a port; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_everywhere(self) -> bool:
        """Whether it means every address of the machine."""
        return self.host in _WILDCARDS

    @property
    def reachable(self) -> Bind:
        """An address that a client on this machine can use."""
        return Bind({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104


class ChosenUpstream(Struct, frozen=True):
    """The upstream's URL, or None for internal packages only, and what the operator should know about it."""

    url: str | None
    remark: str = ""


def parse_bind(text: str) -> Bind:
    """Parses ``HOST:PORT``, or ``:PORT`` for every address of the machine.

    Raises:
        ValueError: *text* is neither.
    """
    match = _BIND.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("is not HOST:PORT, like 127.0.0.1:4874")
    return Bind(match["v6"] or match["host"] or "0.0.0.0", int(match["port"]))  # noqa: S104 - ':PORT' asks for it


def parse_public_url(text: str) -> str:
    """Returns the URL *text* without its trailing slash.

    Raises:
        ValueError: it is not an http or https URL of a host, or holds a password.
    """
    with refused_as("is not a URL like https://npm.acme.example, http or https"):
        parsed = parse_upstream(text)
    if parsed.authorization:
        raise ValueError("holds a password, which clients would see: leave it out") from None
    return str(parsed)


def parse_upstream_url(text: str) -> str:
    """Returns the upstream's URL, or ``none``, as it was given.

    Raises:
        ValueError: it is neither.
    """
    if text != NONE:
        with refused_as("is not a URL like https://upstream.example, http or https, nor none"):
            parse_upstream(text)
    return text


def parse_allowed_origin(text: str) -> str:
    """Returns the origin *text* as it was given.

    Raises:
        ValueError: it is not a scheme and a host.
    """
    with refused_as("is not an origin like https://cdn.example: a scheme, a host, and perhaps a port"):
        parse_origin(text)
    return text


def parse_proxy(text: str) -> str:
    """Returns the URL of a proxy as it was given.

    Raises:
        ValueError: it is not an http or https URL.
    """
    with refused_as("is not a URL like http://proxy.example:3128, http or https"):
        check_proxies({"http": text})
    return text


def parse_osv_api(text: str) -> str:
    """Returns the URL of an OSV API as it was given.

    Raises:
        ValueError: it is not an http or https URL, or holds a password.
    """
    try:
        checked(text)
    except FetchFailed as error:
        raise ValueError("is not a URL like https://osv.example, http or https, without a password") from error
    return text


def check_upstream(given: str | None, bind: Bind, public_url: str | None) -> ChosenUpstream:
    """Returns which upstream is meant: *given*, ``none``, or the one that this user's npm is configured with.

    Raises:
        UsageError: it is this server itself, or npm is configured with something that is not a URL.
    """
    if given == NONE:
        return ChosenUpstream(None, "Internal packages only, as asked with --upstream none.")
    url = given or configured_registry()
    if url is None:
        return ChosenUpstream(
            None,
            "No npm on this machine says which upstream to use: internal packages only. Give one with --upstream URL.",
        )
    try:
        parsed = parse_upstream(url)
    except ValueError as error:
        raise UsageError("npm is configured with a registry that is no URL: give one with --upstream URL.") from error
    if _is_ourselves(parsed.origin, bind) or (public_url is not None and f"{parsed}/".startswith(f"{public_url}/")):
        raise UsageError(
            f"The upstream {parsed} is this server itself: give the registry behind it with --upstream URL, or none."
        )
    return ChosenUpstream(url, f"Everything else comes from {parsed}.")


def check_port(bind: Bind) -> None:
    """Tries the port once: a server would try for seconds and say it in many lines.

    Raises:
        UsageError: it is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind.host, bind.port))
        except OSError as error:
            raise UsageError(f"Cannot listen on {bind}: {error.strerror}. Give another place with --bind.") from error


def _is_ourselves(upstream: Origin, bind: Bind) -> bool:
    if upstream.port != bind.port:
        return False
    own = _addresses(bind.host)
    if bind.is_everywhere:
        own |= _addresses(socket.gethostname()) | {"127.0.0.1", "::1"}
    return bool(own & _addresses(upstream.host.strip("[]")))


def _addresses(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
