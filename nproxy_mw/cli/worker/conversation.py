"""Conversation: how the poller reads requests from a connection and sends the answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE

from nproxy_mw.cli.worker.bounds import Bounds, extended
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.dispatch import Dispatch
from nproxy_mw.cli.worker.incoming import PIECE
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.refusals import Overloaded
from nproxy_mw.cli.worker.request import ClientRequest
from nproxy_mw.http.bodies import DRAIN_LIMIT, DRAIN_SECONDS

_TURN = 1024 * 1024  # bytes sent to one client before the others have their turn

Answer = Callable[[Connection, Exception], None]
"""Writes the answer for a request that no thread gets to see."""


class Conversation:
    """A connection is in one of five states: its ``when_ready`` is `read`, `Dispatch.read_ahead`, `send`, `waste`, or
    nothing. *keep_alive* says for how many seconds a connection waits for its next request.
    """

    def __init__(
        self,
        poller: Poller,
        dispatch: Dispatch,
        bounds: Bounds,
        budget: Budget,
        *,
        answer: Answer,
        keep_alive: Callable[[], float],
    ) -> None:
        self.poller = poller
        self.dispatch = dispatch
        self.bounds = bounds
        self.budget = budget
        self.answer = answer
        self.keep_alive = keep_alive
        self.pace = bounds.slowest

    # Reading

    def read(self, connection: Connection) -> None:
        """Takes what a client sent."""
        request = connection.request
        data = connection.stream.recv(min(request.missing, PIECE) if request else PIECE)
        if not data:
            self.give_up(connection)
        elif request is None:
            connection.held += data
            self.read_head(connection)
        else:
            self.read_body(connection, request, data)

    def read_head(self, connection: Connection) -> None:
        """Goes on with a request whose head may be whole."""
        is_first = not connection.searched
        try:
            request = connection.take_head()
        except Exception as error:
            self.refuse(connection, error)
            return
        if request is not None:
            self.find_place(connection, request)
        elif is_first:
            connection.deadline = time.monotonic() + self.bounds.head_seconds

    def find_place(self, connection: Connection, request: ClientRequest) -> None:
        """Decides where the body goes: nowhere, into the store, or to a thread as it comes."""
        length = request.length
        if length == 0:
            self.dispatch.hand_over(connection)
        elif length is not None and length <= max(self.bounds.small_body, len(connection.held)):
            self.store(connection, request, length)
        else:
            self.dispatch.hand_over_unread(connection, request)

    def store(self, connection: Connection, request: ClientRequest, length: int) -> None:
        """Begins to store a body."""
        connection.deadline = time.monotonic() + self.bounds.body_patience
        try:
            request.store(connection.take(length), length, self.budget, self.bounds.small_body)
        except OSError:
            self.refuse(connection, Overloaded())
            return
        if not request.missing:
            self.dispatch.hand_over(connection)
        else:
            request.say_continue(connection.stream)

    def read_body(self, connection: Connection, request: ClientRequest, data: bytes) -> None:
        """Stores a piece of a body."""
        try:
            request.add(data)
        except OSError:
            self.refuse(connection, Overloaded())
            return
        self._extend(connection, self.bounds.body_patience, len(data))
        if not request.missing:
            self.dispatch.hand_over(connection)

    def wait_no_longer(self, connection: Connection, request: ClientRequest) -> None:
        """Stores a body that no thread could read in time, or refuses one that is too large for that."""
        self.poller.watch(connection, EVENT_READ)
        if request.length is not None and request.length <= self.bounds.stored_body:
            self.store(connection, request, request.length)
        else:
            self.refuse(connection, Overloaded())

    def give_up(self, connection: Connection) -> None:
        """Ends what a client does not go on with. Half a body is the application's to answer."""
        request = connection.request
        if request is not None and request.missing:
            request.missing = 0
            request.force_close()
            self.dispatch.hand_over(connection)
        else:
            self.poller.drop(connection)

    def refuse(self, connection: Connection, error: Exception) -> None:
        """Answers a request that no thread gets to see; the last answer of its connection."""
        connection.outlet.begin()
        self.answer(connection, error)
        connection.keeps = False
        self.send_rest(connection)

    # Sending

    def send_rest(self, connection: Connection) -> None:
        """Sends what the client did not take at once."""
        connection.outlet.flush()
        if connection.outlet.is_cut:
            self.poller.drop(connection)
        elif connection.outlet.is_waiting:
            connection.when_ready = self.send
            connection.deadline = time.monotonic() + self.bounds.send_patience
            self.poller.watch(connection, EVENT_WRITE)
        else:
            self.go_on(connection)

    def send(self, connection: Connection) -> None:
        """Sends a piece."""
        self._extend(connection, self.bounds.send_patience, connection.outlet.push(_TURN))
        if not connection.outlet.is_waiting:
            self.go_on(connection)

    def go_on(self, connection: Connection) -> None:
        """Waits for the next request, or ends the connection: its answer has been sent."""
        connection.forget_request()
        if not connection.keeps:
            self.linger(connection)
            return
        connection.when_ready = self.read
        connection.deadline = time.monotonic() + self.keep_alive()
        self.poller.watch(connection, EVENT_READ)
        if connection.held:
            self.read_head(connection)

    def linger(self, connection: Connection) -> None:
        """Half-closes a connection (RFC 9112 section 9.6): closed at once, unread bytes would take the answer back."""
        connection.stream.shutdown(socket.SHUT_WR)
        connection.when_ready = self.waste
        lingers = connection.outlet.lingers
        connection.deadline = time.monotonic() + (DRAIN_SECONDS if lingers else self.bounds.linger_seconds)
        self.poller.watch(connection, EVENT_READ)

    def waste(self, connection: Connection) -> None:
        """Throws away what comes behind the last answer; beyond a little, leaves it to the system to hold back."""
        data = connection.stream.recv(PIECE)
        connection.wasted += len(data)
        if not data:
            self.poller.drop(connection)
        elif connection.wasted > (DRAIN_LIMIT if connection.outlet.lingers else self.bounds.linger_size):
            self.poller.watch(connection, 0)

    def _extend(self, connection: Connection, patience: float, size: int) -> None:
        now = time.monotonic()
        connection.deadline = extended(connection.deadline, now, patience=patience, size=size, pace=self.pace)
