"""Dispatcher: which request gets a thread, and when."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator

from nproxy_mw.cli.worker.bodies import PIECE
from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.fair_queue import FairQueue
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.request import ClientRequest


class Dispatcher:
    """Gives requests to *threads* threads through *submit*. Only the poller's thread calls it."""

    def __init__(self, poller: Poller, bounds: Bounds, threads: int, submit: Callable[[Connection], None]) -> None:
        self.poller = poller
        self.bounds = bounds
        self.threads = threads
        self.submit = submit
        self._pending = 0  # requests that a thread has, or that wait for one
        self._submitted = 0  # those of them that are no longer in the queue
        self._queue: FairQueue[Connection] = FairQueue()
        self._has_moved = False
        self._direct = 0  # requests whose thread reads the body from the client
        self._direct_queue: deque[tuple[float, Connection, ClientRequest]] = deque()  # others, each with its deadline

    def may_accept(self) -> bool:
        """Returns whether a thread is free, or took one of many requests since the last connection was accepted.

        A worker whose threads are all held leaves connections to the others. One whose threads are merely busy does
        not, or new clients would never get in.
        """
        return self._pending < self.threads or self._has_moved

    def accepted(self) -> None:
        """Notes that a connection was accepted."""
        self._has_moved = False

    def hand_over(self, connection: Connection) -> None:
        """Gives a whole request to a thread."""
        connection.when_ready = self.read_ahead
        connection.deadline = math.inf
        self._pending += 1
        self._queue.add(connection.address, connection)
        self._fill()

    def hand_over_unread(self, connection: Connection, request: ClientRequest) -> None:
        """Gives a request to a thread that reads the body itself, as soon as one is free for that."""
        now = time.monotonic()
        connection.deadline = now + self.bounds.body_patience
        self.poller.watch(connection, 0)
        self._direct_queue.append((now + self.bounds.direct_wait, connection, request))
        self._follow()

    def finished(self, connection: Connection) -> None:
        """Notes that a thread is done with the request of *connection*."""
        self._pending -= 1
        self._submitted -= 1
        self._has_moved = self._pending >= self.threads
        if connection.is_direct:
            connection.is_direct = False
            self._direct -= 1
            self._follow()
        self._fill()

    def overdue(self, now: float) -> Iterator[tuple[Connection, ClientRequest]]:
        """Takes back the requests for which no thread could read the body in time."""
        while self._direct_queue and self._direct_queue[0][0] < now:
            _, connection, request = self._direct_queue.popleft()
            if connection in self.poller.connections:
                yield connection, request

    def read_ahead(self, connection: Connection) -> None:
        """Reads the next request while a thread has this one. More than that, or the end, has to wait."""
        data = connection.stream.recv(PIECE) if len(connection.held) < self.bounds.head_size else b""
        connection.held += data
        if not data:
            self.poller.watch(connection, 0)

    def _fill(self) -> None:
        """Submits two requests for each thread, so that none is idle in between. The fair queue holds the others."""
        while self._submitted < 2 * self.threads and (connection := self._queue.take()):
            self._submitted += 1
            self.submit(connection)

    def _follow(self) -> None:
        while self._direct_queue and self._direct < max(1, self.threads // self.bounds.direct_share):
            _, connection, request = self._direct_queue.popleft()
            if connection in self.poller.connections:
                request.read_from(connection.stream, connection.take(len(connection.held)), self.bounds)
                connection.is_direct = True
                self._direct += 1
                self.hand_over(connection)
