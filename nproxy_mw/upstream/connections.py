"""Connections to the upstream that never take one answer for another. Built on urllib3 and `http.client`.

What a kept connection could get out of step by:

- *Interim answers* (RFC 9110, 15.2: 100, 102, 103 and any other 1xx) come before the real one. `http.client` skips 100
  alone; here all are skipped, a few at most. 101 is none: nobody asked to switch protocols.
- *An answer that has no body and announces one* (204, 304): what follows is its body or the next answer, and nobody can
  tell. The connection is not used again.
- *Bytes behind the end of a body*: the other side counts otherwise than we do. The connection is not used again.

urllib3 looks for bytes that nobody asked for before it uses a kept connection, and drops one that has some. It would
keep a connection as soon as a body is read; here that waits for its reader (`Loan`), who may not like what came.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Literal, cast
from urllib.parse import unquote, urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers

from nproxy_mw.upstream.origins import Origin

MAX_INTERIM = 16  # interim answers before one
DRAINED = 64 * 1024  # bytes of an unread body that are worth reading to keep the connection
RECEIVED = 64 * 1024
"""Bytes that one call of the system may bring. Most answers have less; with Python's 8 KiB they took several."""

_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class FinalResponse(http.client.HTTPResponse):
    """An answer behind all interim ones, which gives its connection up when it cannot vouch for it."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(cast("socket.socket", _Reading(sock)), *args, **options)
        self._socket = sock

    def begin(self) -> None:
        """Reads the head of the answer. Raises `http.client.HTTPException` for what is none."""
        super().begin()
        for _ in range(MAX_INTERIM):
            if self.status >= 200 or self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        if self.status < 200:
            raise http.client.HTTPException(f"{self.status} in the place of an answer")
        if self.status in _WITHOUT_BODY:
            self.will_close = self.will_close or self.chunked or self.headers.get("Content-Length", "0") != "0"
            self._close_conn()

    def _close_conn(self) -> None:
        """Called by `http.client` and urllib3 when the body is read, and when it is given up."""
        if self._has_excess():
            # Anyone who takes the connection next finds it at its end, and opens another.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        super()._close_conn()  # type: ignore[misc]

    def _has_excess(self) -> bool:
        timeout = self._socket.gettimeout()
        try:
            self._socket.settimeout(0)
            return bool(self.fp.peek(1))
        except (OSError, ValueError):  # TLS has nothing to give; it is closed already
            return False
        finally:
            with suppress(OSError):
                self._socket.settimeout(timeout)


class _Reading:
    """What `http.client.HTTPResponse` needs of a socket: a file, here one that takes in up to `RECEIVED` at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, mode: Literal["rb"]) -> io.IOBase:
        return self._socket.makefile(mode, RECEIVED)


class _Connection(HTTPConnection):
    response_class = FinalResponse
    is_lent = False


class _SecureConnection(HTTPSConnection):
    response_class = FinalResponse
    is_lent = False


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection

    def _put_conn(self, conn: Any) -> None:
        if not getattr(conn, "is_lent", False):
            super()._put_conn(conn)


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # type: ignore[assignment]


class Loan:
    """The connection of an answer of *pool*, until it is given back or ended. Either may be called more than once."""

    def __init__(self, pool: HTTPConnectionPool, response: BaseHTTPResponse) -> None:
        self._pool = pool
        self._response = response
        self._connection = cast("Any", response.connection)
        self._connection.is_lent = True

    def give_back(self) -> None:
        """Gives the connection back if the answer is read to its end, or nearly; else ends it."""
        remaining = self._response.length_remaining
        if remaining is not None and remaining <= DRAINED:
            self._response.drain_conn()
        if self._response.closed and self._connection is not None:
            connection, self._connection = self._connection, None
            connection.is_lent = False
            self._pool._put_conn(connection)
        self.end()

    def end(self) -> None:
        """Ends the connection."""
        self._response.close()
        if self._connection is not None:
            self._connection.close()


def new_manager(
    proxy: str | None, *, pools: int, size: int, timeout: Timeout, tls: ssl.SSLContext | None
) -> PoolManager:
    """Returns a manager of connections, through the *proxy* at that URL if one is given.

    Raises:
        urllib3.exceptions.ProxySchemeUnknown: the proxy is neither http nor https.
    """
    options: dict[str, Any] = {"maxsize": size, "timeout": timeout, "retries": False, "ssl_context": tls}
    manager = (
        PoolManager(pools, **options)
        if proxy is None
        else ProxyManager(proxy, pools, proxy_headers=_credentials(proxy), **options)
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager


def proxy_for(origin: Origin, proxies: Mapping[str, str]) -> str | None:
    """Returns the URL of the proxy that leads to *origin*; None when it is asked straight.

    *proxies* has a URL by the scheme of what is asked for. Under ``no`` it has what is asked straight: hosts, each with
    everything below it, with or without a port, separated by commas; or ``*`` for all.
    """
    proxy = proxies.get(origin.scheme)
    if not proxy or _is_excepted(origin, proxies.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excepted(origin: Origin, exceptions: str) -> bool:
    names = [name.strip().lstrip(".").lower() for name in exceptions.split(",")]
    hosts = (origin.host, f"{origin.host}:{origin.port}")
    return "*" in names or any(host == name or host.endswith(f".{name}") for host in hosts for name in names if name)


def _credentials(proxy: str) -> dict[str, str]:
    user = urlsplit(proxy).netloc.rpartition("@")[0]
    return make_headers(proxy_basic_auth=unquote(user)) if user else {}
