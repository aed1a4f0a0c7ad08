"""Connection: one client's connection, as the poller and gunicorn's ThreadWorker handle it."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.workers.gthread import TConn

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.outlet import Outlet
from nproxy_mw.cli.worker.request import ClientRequest, check_partial, head_end


class Connection(TConn):
    """What is known of a client's connection.

    For gunicorn's `ThreadWorker.handle` it is also the parser: it yields the request that the poller has read.
    """

    def __init__(
        self, cfg: Any, stream: socket.socket, client: Any, server: Any, *, bounds: Bounds, outlet: Outlet
    ) -> None:
        super().__init__(cfg, stream, client, server)  # makes it non-blocking
        self.stream = stream
        self.outlet = outlet
        self.bounds = bounds
        # What `ThreadWorker.handle` looks at.
        self.sock: Any = self.outlet
        self.parser: Any = self
        self.initialized = self.data_ready = True
        # The poller's.
        self.when_ready: Callable[[Connection], None] = nothing
        self.callback: Callable[[Any], None]
        self.events = 0  # what the poller waits for
        self.deadline = math.inf  # on time.monotonic's clock; infinite while a thread has the request
        self.address: object = None
        self.keeps = False  # whether another request may follow
        self.is_direct = False  # whether a thread reads the body
        self.wasted = 0  # bytes read behind the last answer
        # The request that is being read or answered.
        self.held = b""  # received, and not yet part of a request
        self.searched = 0  # bytes of it in which no end of a head was found
        self.request: ClientRequest | None = None
        self.requests = 0

    def take_head(self) -> ClientRequest | None:
        """Parses the next request when its head is whole.

        Raises:
            ParseException: it is no HTTP.
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
        self.request = ClientRequest(self.cfg, head, self.client, self.requests)
        return self.request

    def take(self, size: int) -> bytes:
        """Returns the next *size* bytes that came, fewer when no more are there."""
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def __next__(self) -> ClientRequest | None:
        self.outlet.begin()
        return self.request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        """Whether nothing of the body is left in the connection; gunicorn would read and wait for it."""
        self.outlet.flush()
        return self.request is not None and not self.request.is_unread

    def forget_request(self) -> None:
        """Makes ready for the next one."""
        if self.request is not None:
            self.held = self.request.incoming.close() + self.held
            self.request = None

    def close(self, graceful: bool = False) -> None:
        """Closes the connection, whatever waits."""
        self.forget_request()
        self.outlet.discard()
        self.stream.close()
        self.parser = None  # these two would keep the connection in memory, as parts of a circle
        self.when_ready, self.callback = nothing, nothing


def nothing(connection: Connection) -> None:
    """Nobody waits for anything of a connection that is not registered."""
