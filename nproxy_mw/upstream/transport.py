"""The port to the upstream registry, and its adapter on urllib3.

Rules that `Urllib3Transport` keeps, whatever the upstream says:

* A connection goes to the configured upstream or to an allowed origin, nowhere else.
* Redirects are followed for GET and HEAD alone, three at most, and never from https to http.
* An Authorization header stays with the upstream's own origin. The registry's own credentials go with GET, HEAD and
  POST (audits): a client's publish stands on the client's token alone.
* No answer is taken for another (`nproxy_mw.upstream.connections`), and no status below 200 comes out. An answer that
  was not read to its end costs its connection.
* Nothing but `UpstreamUnavailable` and `UpstreamTimeout` comes out, also while a body is read, with the cause chained.
  Their messages name neither host nor URL: clients see them. The log has both.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Protocol
from urllib.parse import urljoin
from urllib.request import getproxies_environment

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from nproxy_mw.errors import BadRequest, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.http.messages import Headers
from nproxy_mw.upstream.connections import Loan, new_manager, proxy_for
from nproxy_mw.upstream.origins import Origin, UpstreamElsewhere, check_proxies, parse_origin, parse_upstream, split_url
from nproxy_mw.upstream.responses import UpstreamResponse

_log = logging.getLogger(__name__)

Body = bytes | Iterable[bytes] | None

MAX_REDIRECTS = 3
USER_AGENT = f"nproxy-mw/{version('nproxy_mw')}"
"""With a dash: what leaves for the upstream can then be searched for ``nproxy_``, which our tokens begin with."""

_SAFE = frozenset({"GET", "HEAD"})
_WITH_OUR_CREDENTIALS = frozenset({"GET", "HEAD", "POST"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Transport(Protocol):
    """How the upstream is asked. Only `UpstreamUnavailable` and `UpstreamTimeout` come out of it."""

    @property
    def upstream_url(self) -> str:
        """Where the upstream is, without credentials and without a trailing slash: what no answer may show."""
        ...

    def send(self, method: str, target: str, headers: Headers = (), body: Body = None) -> UpstreamResponse:
        """Asks the upstream for *target*, a path and query below its URL."""
        ...

    def fetch(self, method: str, url: str, headers: Headers = ()) -> UpstreamResponse:
        """Asks for the absolute *url* of a tarball; refuses one at an origin that is not allowed."""
        ...


class Urllib3Transport:
    """A `Transport` on urllib3: connections are kept, and made anew in each process.

    *upstream_url* may have a path prefix and credentials (``https://user:password@upstream.example/npm``). *token* is
    the other kind of credentials: it is sent as a Bearer token. *allowed_origins* are further places that tarballs and
    redirects may lie at. *ca_file* has certificate authorities in PEM that are trusted in addition to the system's;
    *ssl_context* takes the place of all of them. *proxies* has the URL of a proxy by the scheme of what is asked for,
    and hosts that are asked without one under ``no``, separated by commas; if it is None, ``HTTP_PROXY``,
    ``HTTPS_PROXY`` and ``NO_PROXY`` of the environment say so.

    Raises:
        ValueError: a URL is of a kind that is not supported, two kinds of credentials are given, or *ca_file* has no
            certificates.
        OSError: *ca_file* cannot be read.
    """

    def __init__(
        self,
        upstream_url: str,
        *,
        token: str | None = None,
        allowed_origins: Iterable[str] = (),
        ca_file: str | None = None,
        proxies: Mapping[str, str] | None = None,
        connect_timeout: float = 5.0,  # seconds
        read_timeout: float = 30.0,  # seconds between two pieces of an answer
        pool_size: int = 48,  # connections kept to each origin, in each process
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._upstream = parse_upstream(upstream_url, token)
        self._origins = {self._upstream.origin, *map(parse_origin, allowed_origins)}
        self._proxies = check_proxies(getproxies_environment() if proxies is None else proxies)
        self._timeout = Timeout(connect=connect_timeout, read=read_timeout)
        self._pool_size = pool_size
        self._tls = ssl_context
        if ca_file is not None and ssl_context is None:
            self._tls = _trusting(ca_file)
        self._managers: tuple[int, dict[str | None, PoolManager]] = (0, {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.upstream_url!r})"

    @property
    def upstream_url(self) -> str:
        """Where the upstream is, without credentials."""
        return str(self._upstream)

    def send(self, method: str, target: str, headers: Headers = (), body: Body = None) -> UpstreamResponse:
        """Asks the upstream for *target*, a path and query below its URL.

        Raises:
            UpstreamUnavailable, UpstreamTimeout: see the rules above.
        """
        return self._follow(method, self._upstream.origin, self._upstream.prefix + target, headers, body)

    def fetch(self, method: str, url: str, headers: Headers = ()) -> UpstreamResponse:
        """Asks for the absolute *url* of a tarball.

        Raises:
            UpstreamUnavailable: its origin is not allowed; else as `send`.
            UpstreamTimeout: as `send`.
        """
        origin, target = self._allowed(url)
        return self._follow(method, origin, target, headers, None)

    def _allowed(self, url: str) -> tuple[Origin, str]:
        try:
            origin, target = split_url(url)
        except ValueError as error:
            raise _elsewhere() from error
        if origin not in self._origins:
            _log.warning("refused to ask %s, which is not an allowed origin", origin)
            raise _elsewhere()
        return origin, target

    def _follow(self, method: str, origin: Origin, target: str, headers: Headers, body: Body) -> UpstreamResponse:
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(method, origin, target, self._headers(method, origin, headers), body)
            if answer.status not in _REDIRECTS:
                return answer
            answer.close()
            if method not in _SAFE:
                raise UpstreamElsewhere("The upstream registry redirects what it should answer itself.")
            came_from = origin
            origin, target = self._allowed(urljoin(f"{origin}{target}", answer.header("location")))
            if came_from.scheme == "https" and origin.scheme == "http":
                raise _elsewhere()
            if origin != came_from:
                headers = [(name, value) for name, value in headers if name.lower() != "authorization"]
        raise UpstreamElsewhere("The upstream registry redirects too often.")

    def _headers(self, method: str, origin: Origin, headers: Headers) -> HTTPHeaderDict:
        sent = HTTPHeaderDict(headers)
        sent.setdefault("User-Agent", USER_AGENT)
        sent.setdefault("Accept-Encoding", "identity")
        if origin != self._upstream.origin:
            sent.discard("Authorization")
        elif self._upstream.authorization and method in _WITH_OUR_CREDENTIALS:
            sent.setdefault("Authorization", self._upstream.authorization)
        return sent

    def _ask(
        self, method: str, origin: Origin, target: str, headers: HTTPHeaderDict, body: Body, *, may_repeat: bool = True
    ) -> UpstreamResponse:
        proxy = proxy_for(origin, self._proxies)
        pool = self._manager(proxy).connection_from_host(origin.host, origin.port, origin.scheme)
        try:
            response = pool.urlopen(
                method,
                # A proxy is told where to; to https it makes a tunnel instead.
                f"{origin}{target}" if proxy is not None and origin.scheme == "http" else target,
                body=body if body is None or isinstance(body, bytes) else _upload(body),
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            # A kept connection may turn out to be closed by the other side: what is safe to repeat is sent once more.
            if may_repeat and method in _SAFE and isinstance(error, ProtocolError):
                return self._ask(method, origin, target, headers, body, may_repeat=False)
            _log.warning("%s %s%s failed: %s", method, origin, target, error)
            raise _translated(error) from error
        return _answer(response, Loan(pool, response))

    def _manager(self, proxy: str | None) -> PoolManager:
        # Connections must not be shared with a forked child. Two threads that come here at once may each make a
        # manager; one is dropped.
        process = os.getpid()
        if self._managers[0] != process:
            self._managers = (process, {})
        managers = self._managers[1]
        if proxy not in managers:
            managers[proxy] = self._new_manager(proxy)
        return managers[proxy]

    def _new_manager(self, proxy: str | None) -> PoolManager:
        if self._tls is None and any(origin.scheme == "https" for origin in self._origins):
            self._tls = ssl.create_default_context()  # once: it reads every authority from disk
        return new_manager(proxy, pools=len(self._origins), size=self._pool_size, timeout=self._timeout, tls=self._tls)


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"{ca_file} holds no certificate authorities: it must have certificates in PEM.") from error
    return context


def _upload(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Whatever fails in here is on the client's side of this registry: it must not look like the upstream's fault.
    try:
        yield from chunks
    except OSError as error:
        raise BadRequest("The request body broke off: send it again.", code="body-cut-short") from error


def _answer(response: BaseHTTPResponse, loan: Loan) -> UpstreamResponse:
    def chunks(size: int) -> Iterator[bytes]:
        try:
            yield from response.stream(size, decode_content=False)
        except (HTTPError, OSError) as error:
            _log.warning("an answer of the upstream broke off: %s", error)
            raise _translated(error) from error

    return UpstreamResponse(response.status, list(response.headers.items()), chunks, loan.give_back, loan.end)


def _translated(error: Exception) -> UpstreamUnavailable | UpstreamTimeout:
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError) and not isinstance(error, NewConnectionError):
        return UpstreamTimeout("The upstream registry took too long to answer: try again in a while.")
    return UpstreamUnavailable("The upstream registry did not answer: try again in a while.")


def _elsewhere() -> UpstreamElsewhere:
    return UpstreamElsewhere(
        "The upstream registry names a place that this registry does not fetch from; its operator can allow it."
    )
