"""The upstream as a server: one process on asyncio, which counts what it is asked for."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from benchmarks.errors import MeasureFailed
from benchmarks.http.messages import MAX_HEAD, parse_head
from benchmarks.upstream.faults import Delivery, Ending, Faults, deliver
from benchmarks.upstream.replies import Replay, path_of, plain

REQUESTS = "/-/benchmarks/requests"
"""GET returns the number of requests for each path since the start or the last DELETE, as a JSON object."""

MAX_BODY = 16 * 1024 * 1024
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends RST


@dataclass(slots=True)
class Upstream:
    """What all connections share. *latency* is in seconds, before each reply."""

    replay: Replay
    faults: Faults
    latency: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)

    def deliver(self, method: str, target: str, headers: Mapping[str, str]) -> Delivery:
        """Counts a request, and returns what its client gets."""
        path = path_of(target)
        if path == REQUESTS:
            return self._counters(method)
        self.requests[path] += 1
        reply = self.replay.reply(method, target, headers)
        fault = self.faults.next() if reply.is_object else None
        return deliver(reply, fault, is_head=method == "HEAD")

    def _counters(self, method: str) -> Delivery:
        if method == "DELETE":
            self.requests.clear()
        return deliver(plain(200, json.dumps(self.requests).encode()), None)


class _Connection(asyncio.Protocol):
    """One client. Requests are answered in the order in which they come."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.buffer = bytearray()
        self.is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.is_busy:
            self._next()

    def _next(self) -> None:
        """Starts with the next request, if it is complete. Ends the connection if it is none, or too large."""
        end = self.buffer.find(b"\r\n\r\n")
        try:
            if end < 0:
                return _check_size(len(self.buffer), MAX_HEAD)
            start, headers = parse_head(bytes(self.buffer[:end]))
            method, target, _ = start.split(" ")
            length = int(headers.get("content-length", "0"))
            _check_size(length, MAX_BODY)
        except (MeasureFailed, ValueError):
            return self.transport.abort()
        if len(self.buffer) >= end + 4 + length:
            del self.buffer[: end + 4 + length]
            self._schedule(method, target, headers)
        return None

    def _schedule(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        self.is_busy = True
        delivery = self.upstream.deliver(method, target, headers)
        if self.upstream.latency:
            asyncio.get_running_loop().call_later(self.upstream.latency, self._send, delivery)
        else:
            self._send(delivery)

    def _send(self, delivery: Delivery) -> None:
        self.is_busy = False
        if self.transport.is_closing():
            return None
        if delivery.ending is Ending.RESET:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            return self.transport.abort()
        for piece in delivery.data:
            self.transport.write(piece)
        if delivery.ending is Ending.CLOSE:
            return self.transport.close()
        return self._next()


def _check_size(size: int, limit: int) -> None:
    if not 0 <= size <= limit:
        raise ValueError(f"{size} bytes are too many.")


async def listen(upstream: Upstream, host: str, port: int) -> asyncio.Server:
    """Returns a server that accepts connections.

    Raises:
        OSError: the address is taken.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(upstream), host, port, backlog=1024)


async def serve(upstream: Upstream, host: str, port: int) -> None:
    """Serves until it is cancelled. Raises as `listen`."""
    server = await listen(upstream, host, port)
    async with server:
        await server.serve_forever()
