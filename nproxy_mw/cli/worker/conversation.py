"""Conversation: how the poller reads requests from a connection and sends responses."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE

from nproxy_mw.cli.worker.bodies import PIECE
from nproxy_mw.cli.worker.bounds import Bounds, extended
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.dispatcher import Dispatcher
from nproxy_mw.cli.worker.poller import Poller
from nproxy_mw.cli.worker.refusals import Overloaded
from nproxy_mw.cli.worker.request import ClientRequest
from nproxy_mw.http.bodies import DRAIN_LIMIT, DRAIN_SECONDS

_TURN = 1024 * 1024  # bytes sent to one client before the next client's turn

Refuse = Callable[[Connection, Exception], None]
"""Writes the response to a request that no thread gets."""


def never(connection: Connection) -> bool:
    """Answers no request: each needs a thread."""
    return False


class Conversation:
    """Reads requests from connections and sends responses. Only the poller's thread calls it.

    ``connection.when_ready`` is the state of a connection: `read`, `Dispatcher.read_ahead`, `send`, `discard` or
    nothing. *keep_alive* returns how many seconds a connection may wait for its next request. *answer* writes the
    response to a request that needs no thread, and returns whether it could.
    """

    def __init__(
        self,
        poller: Poller,
        dispatcher: Dispatcher,
        bounds: Bounds,
        budget: Budget,
        *,
        write_refusal: Refuse,
        keep_alive: Callable[[], float],
        answer: Callable[[Connection], bool] = never,
    ) -> None:
        self.poller = poller
        self.dispatcher = dispatcher
        self.bounds = bounds
        self.budget = budget
        self.write_refusal = write_refusal
        self.keep_alive = keep_alive
        self.answer = answer
        self.pace = bounds.slowest
        self._pipelined: list[Connection] = []  # those whose next request, or part of it, is there already

    @property
    def has_pipelined(self) -> bool:
        """Whether a connection waits for `read_pipelined`, and for nothing that a selector would tell."""
        return bool(self._pipelined)

    # Reading

    def read(self, connection: Connection) -> None:
        """Reads what a client sent."""
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
        """Parses a head as soon as it is whole."""
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

    def read_pipelined(self) -> None:
        """Goes on with connections on which the client sent its next request before it had a response."""
        pipelined, self._pipelined = self._pipelined, []
        for connection in pipelined:
            if connection in self.poller.connections and connection.request is None:
                self.poller.attempt(self._read_next, connection)

    def _read_next(self, connection: Connection) -> None:
        connection.when_ready = self.read
        self.poller.watch(connection, EVENT_READ)
        self.read_head(connection)

    def find_place(self, connection: Connection, request: ClientRequest) -> None:
        """Decides where the body goes: nowhere, to the poller's store, or to a thread as it comes."""
        length = request.length
        if length == 0:
            if self.answer(connection):
                self.send_rest(connection)
            else:
                self.dispatcher.hand_over(connection)
        elif length is not None and length <= max(self.bounds.small_body, len(connection.held)):
            self.store(connection, request, length)
        else:
            self.dispatcher.hand_over_unread(connection, request)

    def store(self, connection: Connection, request: ClientRequest, length: int) -> None:
        """Begins to store a body, and hands the request over when the body is whole."""
        connection.deadline = time.monotonic() + self.bounds.body_patience
        try:
            request.store(connection.take(length), length, self.budget, self.bounds.small_body)
        except OSError:
            self.refuse(connection, Overloaded())
            return
        if not request.missing:
            self.dispatcher.hand_over(connection)
        else:
            request.say_continue(connection.stream)

    def read_body(self, connection: Connection, request: ClientRequest, data: bytes) -> None:
        """Stores a piece of a body, and hands the request over after the last one."""
        try:
            request.add(data)
        except OSError:
            self.refuse(connection, Overloaded())
            return
        self._extend(connection, self.bounds.body_patience, len(data))
        if not request.missing:
            self.dispatcher.hand_over(connection)

    def store_overdue(self, connection: Connection, request: ClientRequest) -> None:
        """Stores a body that no thread could read in time. Refuses one that is too large, or of unknown length."""
        self.poller.watch(connection, EVENT_READ)
        if request.length is not None and request.length <= self.bounds.stored_body:
            self.store(connection, request, request.length)
        else:
            self.refuse(connection, Overloaded())

    def give_up(self, connection: Connection) -> None:
        """Closes a connection on which the client does not go on. The application answers half a body."""
        request = connection.request
        if request is not None and request.missing:
            request.missing = 0
            request.force_close()
            self.dispatcher.hand_over(connection)
        else:
            self.poller.drop(connection)

    def refuse(self, connection: Connection, error: Exception) -> None:
        """Responds to a request that no thread gets; the last response on its connection."""
        connection.output.begin()
        self.write_refusal(connection, error)
        connection.keeps = False
        self.send_rest(connection)

    # Sending

    def send_rest(self, connection: Connection) -> None:
        """Begins to send what the client did not take at once."""
        connection.output.flush()
        if connection.output.is_cut:
            self.poller.drop(connection)
        elif connection.output.is_waiting:
            connection.when_ready = self.send
            connection.deadline = time.monotonic() + self.bounds.send_patience
            self.poller.watch(connection, EVENT_WRITE)
        else:
            self.go_on(connection)

    def send(self, connection: Connection) -> None:
        """Sends as much as the client takes."""
        self._extend(connection, self.bounds.send_patience, connection.output.push(_TURN))
        if not connection.output.is_waiting:
            self.go_on(connection)

    def go_on(self, connection: Connection) -> None:
        """Waits for the next request after a response, or ends the connection."""
        connection.forget_request()
        if not connection.keeps:
            self.linger(connection)
            return
        connection.when_ready = self.read
        connection.deadline = time.monotonic() + self.keep_alive()
        self.poller.watch(connection, EVENT_READ)
        if connection.held:
            # Until its turn: the client may end what it sends, and still wants answers to what it has sent.
            connection.when_ready = self.dispatcher.read_ahead
            self._pipelined.append(connection)

    def linger(self, connection: Connection) -> None:
        """Half-closes a connection (RFC 9112 section 9.6): a reset, upon unread bytes, would destroy the response."""
        connection.stream.shutdown(socket.SHUT_WR)
        connection.when_ready = self.discard
        lingers = connection.output.lingers
        connection.deadline = time.monotonic() + (DRAIN_SECONDS if lingers else self.bounds.linger_seconds)
        self.poller.watch(connection, EVENT_READ)

    def discard(self, connection: Connection) -> None:
        """Discards what comes after the last response. Beyond a little, the client has to keep it."""
        data = connection.stream.recv(PIECE)
        connection.discarded += len(data)
        if not data:
            self.poller.drop(connection)
        elif connection.discarded > (DRAIN_LIMIT if connection.output.lingers else self.bounds.linger_size):
            self.poller.watch(connection, 0)

    def _extend(self, connection: Connection, patience: float, size: int) -> None:
        now = time.monotonic()
        connection.deadline = extended(connection.deadline, now, patience=patience, size=size, pace=self.pace)
