"""Connections that are kept, on asyncio: one request at a time on each."""

from __future__ import annotations

import asyncio
from typing import cast
from urllib.parse import urlsplit

from benchmarks.errors import MeasureFailed
from benchmarks.http.messages import Request, Response, ResponseReader

TIMEOUT = 120.0
"""Seconds that a server may take for one answer. Verdaccio takes 6 for 10 MB when 16 clients ask."""


class _Stream(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, *, is_counting: bool) -> None:
        self.reader = ResponseReader(is_counting=is_counting)
        self.waiting: asyncio.Future[Response] | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        try:
            self._answer(self.reader.feed(data))
        except MeasureFailed as error:
            self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._answer(self.reader.end())
        self._fail(error or ConnectionResetError("the server closed the connection before its answer was complete"))

    def ask(self, request: bytes) -> asyncio.Future[Response]:
        """Sends a request. Returns what will hold the response."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiting

    def _answer(self, response: Response | None) -> None:
        if response is not None and self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(response)

    def _fail(self, error: Exception) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(error)


class Client:
    """Sends requests to the server at *url*, whose path is put before every target.

    *is_counting* makes responses without bodies, whose size alone is known.
    """

    def __init__(self, url: str, *, is_counting: bool = False) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.prefix = parts.hostname or "", parts.port or 80, parts.path.rstrip("/")
        self._is_counting = is_counting
        self._stream: _Stream | None = None

    def encode(self, request: Request) -> bytes:
        """Returns *request* as bytes that `exchange` takes."""
        own = Request(self.prefix + request.target, request.headers, request.method, request.body)
        return own.encode(f"{self.host}:{self.port}")

    async def send(self, request: Request) -> Response:
        """Returns the response to *request*.

        Raises:
            OSError: the connection failed; `TimeoutError` after `TIMEOUT` seconds.
            MeasureFailed: the answer was not HTTP.
        """
        return await self.exchange(self.encode(request))

    async def exchange(self, request: bytes) -> Response:
        """Sends encoded bytes. Sends them once more if a kept connection turns out to be closed. Raises as `send`."""
        kept = self._stream
        try:
            return await self._exchange(request)
        except ConnectionError:
            if kept is None or not kept.reader.is_empty:
                raise
            return await self._exchange(request)

    async def _exchange(self, request: bytes) -> Response:
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await (await self._connected()).ask(request)
        except BaseException:
            self.close()
            raise
        if response.headers.get("connection", "").lower() == "close":
            self.close()
        return response

    async def _connected(self) -> _Stream:
        if self._stream is None or not self._stream.is_open:
            loop = asyncio.get_running_loop()
            _, self._stream = await loop.create_connection(self._new_stream, self.host, self.port)
        return self._stream

    def _new_stream(self) -> _Stream:
        return _Stream(is_counting=self._is_counting)

    def close(self) -> None:
        """Closes the connection, if one is open."""
        if self._stream is not None and self._stream.is_open:
            self._stream.transport.abort()
        self._stream = None
