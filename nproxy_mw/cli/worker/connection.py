"""Connection: one client's connection, and the request that is being read from it or handled."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.workers.gthread import TConn

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.heads import Heads
from nproxy_mw.cli.worker.output import OutputBuffer
from nproxy_mw.cli.worker.request import ClientRequest, check_partial, head_end


class Connection(TConn):
    """A client's connection. It is also its own parser for gunicorn's `ThreadWorker.handle`: it yields the request
    that the poller has read.
    """

    def __init__(
        self,
        cfg: Any,
        stream: socket.socket,
        client: Any,
        server: Any,
        *,
        bounds: Bounds,
        output: OutputBuffer,
        heads: Heads | None = None,
    ) -> None:
        super().__init__(cfg, stream, client, server)  # makes it non-blocking
        self.heads = heads or Heads(cfg)
        self.stream = stream
        self.output = output
        self.bounds = bounds
        # For `ThreadWorker.handle`.
        self.sock: Any = self.output
        self.parser: Any = self
        self.initialized = self.data_ready = True
        # For the poller.
        self.when_ready: Callable[[Connection], None] = nothing
        self.callback: Callable[[Any], None]
        self.events = 0  # those that the poller waits for
        self.deadline = math.inf  # by time.monotonic; infinite while a thread has the request
        self.address: object = None
        self.keeps = False  # whether another request may follow
        self.is_direct = False  # whether a thread reads the body
        self.discarded = 0  # bytes read after the last response
        # The request.
        self.held = b""  # bytes received that belong to no request yet
        self.searched = 0  # how many of them have been searched for the end of a head
        self.request: ClientRequest | None = None
        self.requests = 0

    def take_head(self) -> ClientRequest | None:
        """Returns the next request, or None while its head is not whole.

        Raises:
            ParseException: the head is not HTTP, or too large.
        """
        end = head_end(self.held, self.searched)
        self.searched = len(self.held)
        if end < 0:
            check_partial(self.held, self.bounds.head_size)
            return None
        if end > self.bounds.head_size:
            raise LimitRequestHeaders("the head is too large")
        self.requests += 1
        head, self.held, self.searched = self.held[:end], self.held[end:], 0
        self.request = self.heads.request(head, self.client, self.requests)
        return self.request

    def take(self, size: int) -> bytes:
        """Returns the next *size* bytes that were received, or fewer."""
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def __next__(self) -> ClientRequest | None:
        self.output.begin()
        return self.request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """Returns whether nothing of the body is still to come. gunicorn's own parser would wait for it here."""
        self.output.flush()
        return self.request is not None and not self.request.is_unread

    def forget_request(self) -> None:
        """Releases the request, so that the next one can be read."""
        if self.request is not None:
            self.held = self.request.reader.close() + self.held
            self.request = None

    def close(self, graceful: bool = False) -> None:
        """Closes the connection and discards everything that waits."""
        self.forget_request()
        self.output.clear()
        self.stream.close()
        self.parser = None  # these references form cycles, which would delay freeing the memory
        self.when_ready, self.callback = nothing, nothing


def nothing(connection: Connection) -> None:
    """Does nothing: no step is due on this connection."""
