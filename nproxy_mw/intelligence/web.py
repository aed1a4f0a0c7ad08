"""How sources of intelligence on the network are asked: over http and https alone, bounded in bytes and in time.

- Only the origin that the operator named is asked. A redirect within it is followed, one to another is refused with a
  sentence that says what to configure.
- An answer is read in pieces, in its plain encoding, and dropped when it is longer than allowed or takes too long. A
  connection is kept only behind a whole answer, so that no answer is taken for another's.
- ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` are followed.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import BinaryIO, cast
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import urllib3
from urllib3.exceptions import HTTPError

from nproxy_mw.errors import NproxyError

MAX_REDIRECTS = 3
IN_MEMORY = 8 * 2**20
"""Bytes of an answer that are kept in memory; a longer one goes to a temporary file."""

_PIECE = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRY = urllib3.Retry(2, status_forcelist=(502, 503, 504), raise_on_status=False, backoff_factor=0.2)


class FetchFailed(NproxyError):
    """What is at a URL cannot be had. The message says why; *answered* is the status of HTTP, if there was one."""

    code = "fetch-failed"

    def __init__(self, message: str, *, answered: int | None = None) -> None:
        super().__init__(message)
        self.answered = answered


class Web:
    """Asks URLs. Safe for threads.

    *deadline* is in seconds, for one answer as a whole; *timeout* for its connection and for each piece of it. *tls* is
    the context for https; if it is None, the certificates of the system are trusted.
    """

    def __init__(self, *, timeout: float = 30.0, deadline: float = 1800.0, tls: ssl.SSLContext | None = None) -> None:
        self.timeout = timeout
        self.deadline = deadline
        self.tls = tls
        self._managers: dict[tuple[int, str | None], urllib3.PoolManager] = {}  # by process and proxy

    def get(self, url: str, limit: int) -> BinaryIO:
        """Returns what is at *url*, to be read and sought in. Close it.

        Raises:
            FetchFailed: it cannot be had, or is longer than *limit* bytes.
        """
        return self._ask("GET", url, None, limit)

    def post(self, url: str, body: bytes, limit: int) -> bytes:
        """Returns the answer to *body*, which is JSON. Raises `FetchFailed`."""
        with closing(self._ask("POST", url, body, limit)) as answer:
            return answer.read()

    def _ask(self, method: str, url: str, body: bytes | None, limit: int) -> BinaryIO:
        end = time.monotonic() + self.deadline
        asked = url
        for _ in range(1 + MAX_REDIRECTS):
            with closing(self._send(method, asked, body)) as response:
                if response.status not in _REDIRECTS:
                    return _spooled(response, url, limit, end)
                target = urljoin(asked, response.headers.get("Location", ""))
            if _origin(checked(target)) != _origin(checked(asked)):
                raise FetchFailed(f"{_shown(url)} redirects to {_shown(target)}: configure that address.")
            asked = target
        raise FetchFailed(f"{_shown(url)} redirects too often.")

    def _send(self, method: str, url: str, body: bytes | None) -> urllib3.BaseHTTPResponse:
        headers = {"Accept-Encoding": "identity", "User-Agent": "nproxy-mw"}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        try:
            return self._manager(checked(url)).request(
                method, url, body=body, headers=headers, redirect=False, retries=_RETRY, preload_content=False
            )
        except HTTPError as error:
            raise FetchFailed(f"{_shown(url)} cannot be reached: {type(error).__name__}.") from error

    def _manager(self, url: SplitResult) -> urllib3.PoolManager:
        proxy = _proxy_for(url, getproxies_environment())
        key = os.getpid(), proxy
        if key not in self._managers:
            timeout = urllib3.Timeout(connect=min(10.0, self.timeout), read=self.timeout)
            self._managers[key] = (
                urllib3.ProxyManager(proxy, timeout=timeout, ssl_context=self.tls)
                if proxy
                else urllib3.PoolManager(timeout=timeout, ssl_context=self.tls)
            )
        return self._managers[key]


def checked(url: str) -> SplitResult:
    """Returns the parts of a URL.

    Raises:
        FetchFailed: it is none of http or https, or has a user or a password in it.
    """
    parts = urlsplit("")
    with suppress(ValueError):
        parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
        raise FetchFailed("Give a URL that begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise FetchFailed("Give a URL without a user and a password: they would be stored and shown.")
    return parts


def _spooled(response: urllib3.BaseHTTPResponse, url: str, limit: int, end: float) -> BinaryIO:
    if response.status != 200:
        raise FetchFailed(f"{_shown(url)} cannot be had: the answer is {response.status}.", answered=response.status)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchFailed(f"{_shown(url)} is encoded although it was asked for as it is.")
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - returned open
    try:
        for piece in _pieces(response, url, limit, end):
            file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _pieces(response: urllib3.BaseHTTPResponse, url: str, limit: int, end: float) -> Iterator[bytes]:
    count = 0
    try:
        while piece := response.read1(_PIECE, decode_content=False):
            count += len(piece)
            if count > limit:
                raise FetchFailed(f"{_shown(url)} has more than {limit} bytes.")
            if time.monotonic() > end:
                raise FetchFailed(f"{_shown(url)} takes too long.")
            yield piece
    except HTTPError as error:
        raise FetchFailed(f"{_shown(url)} broke off: {type(error).__name__}.") from error


def _proxy_for(url: SplitResult, proxies: Mapping[str, str]) -> str | None:
    proxy = proxies.get(url.scheme)
    if not proxy or proxy_bypass_environment(url.netloc, dict(proxies)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or (443 if url.scheme == "https" else 80)


def _shown(url: str) -> str:
    """The URL without its query, which may hold a signature."""
    return url.partition("?")[0][:200]
