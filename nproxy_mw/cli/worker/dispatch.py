"""Dispatch: which request gets a thread, and when."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.incoming import PIECE
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.request import ClientRequest
from nproxy_mw.cli.worker.turns import Turns


class Dispatch:
    """Gives requests to *threads* threads by *submit*. Called by the poller alone."""

    def __init__(self, poller: Poller, bounds: Bounds, threads: int, submit: Callable[[Connection], None]) -> None:
        self.poller = poller
        self.bounds = bounds
        self.threads = threads
        self.submit = submit
        self._busy = 0  # requests that threads have, or that wait for one
        self._submitted = 0  # those of them that have been given to the threads
        self._turns: Turns[Connection] = Turns()  # and those that have not
        self._has_moved = False
        self._direct = 0  # requests whose thread reads the body from the client
        self._direct_queue: deque[tuple[float, Connection, ClientRequest]] = deque()  # and those that wait, until when

    def may_accept(self) -> bool:
        """Whether a thread is free, or one took the next of many requests since a connection was accepted.

        When all threads are held another worker shall get the connection; busy ones that go on keep no client out.
        """
        return self._busy < self.threads or self._has_moved

    def accepted(self) -> None:
        """A connection was accepted."""
        self._has_moved = False

    def hand_over(self, connection: Connection) -> None:
        """Gives a whole request to a thread."""
        connection.when_ready = self.read_ahead
        connection.deadline = math.inf
        self._busy += 1
        self._turns.add(connection.address, connection)
        self._fill()

    def hand_over_unread(self, connection: Connection, request: ClientRequest) -> None:
        """Gives a request to a thread that reads the body itself, as soon as one is free for that."""
        now = time.monotonic()
        connection.deadline = now + self.bounds.body_patience
        self.poller.watch(connection, 0)
        self._direct_queue.append((now + self.bounds.direct_wait, connection, request))
        self._follow()

    def finished(self, connection: Connection) -> None:
        """A thread has answered the request of *connection*."""
        self._busy -= 1
        self._submitted -= 1
        self._has_moved = self._busy >= self.threads
        if connection.is_direct:
            connection.is_direct = False
            self._direct -= 1
            self._follow()
        self._fill()

    def waited_too_long(self, now: float) -> Iterator[tuple[Connection, ClientRequest]]:
        """Takes those requests back for which no thread that reads bodies was free in time."""
        while self._direct_queue and self._direct_queue[0][0] < now:
            _, connection, request = self._direct_queue.popleft()
            if connection in self.poller.crowd:
                yield connection, request

    def read_ahead(self, connection: Connection) -> None:
        """Takes the next request while a thread has this one; more than that, or the end, has to wait."""
        data = connection.stream.recv(PIECE) if len(connection.held) < self.bounds.head_size else b""
        connection.held += data
        if not data:
            self.poller.watch(connection, 0)

    def _fill(self) -> None:
        """Each thread has one request and another one at hand; the rest waits here, in fair turns."""
        while self._submitted < 2 * self.threads and (connection := self._turns.take()):
            self._submitted += 1
            self.submit(connection)

    def _follow(self) -> None:
        while self._direct_queue and self._direct < max(1, self.threads // self.bounds.direct_share):
            _, connection, request = self._direct_queue.popleft()
            if connection in self.poller.crowd:
                request.read_from(connection.stream, connection.take(len(connection.held)), self.bounds)
                connection.is_direct = True
                self._direct += 1
                self.hand_over(connection)
