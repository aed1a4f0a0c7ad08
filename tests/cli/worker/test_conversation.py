"""Conversation: the order of what happens on a connection."""

from __future__ import annotations

import selectors
import socket
from contextlib import closing

import pytest
from gunicorn.config import Config

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.connections import Connections
from nproxy_mw.cli.worker.conversation import Conversation
from nproxy_mw.cli.worker.dispatcher import Dispatcher
from nproxy_mw.cli.worker.output import OutputBuffer
from nproxy_mw.cli.worker.poller import Poller

PING = b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\n"


class Desk:
    """A conversation on one connection, whose requests no thread gets."""

    def __init__(self, selector, ours):
        self.handed, self.refused, self.at_once = [], [], set()
        budget = Budget(1000, 0)
        self.poller = Poller(selector, Connections(10, 10), None)
        self.conversation = Conversation(
            self.poller,
            Dispatcher(self.poller, Bounds(), 8, lambda one: self.handed.append(one.request.path)),
            Bounds(),
            budget,
            write_refusal=lambda one, error: self.refused.append(type(error).__name__),
            keep_alive=lambda: 30.0,
            answer=self.answer,
        )
        output = OutputBuffer(ours, budget)
        self.connection = Connection(Config(), ours, "", "", bounds=Bounds(), output=output)
        self.poller.add(self.connection, self.conversation.read, deadline=1.0)

    def answer(self, connection):
        """Answers what is to be answered at once."""
        if connection.request.path not in self.at_once:
            return False
        connection.output.begin()
        connection.output.sendall(connection.request.path.encode())
        connection.keeps = True
        return True

    def turn(self):
        """What the worker does when it is woken."""
        for key, _ in self.poller.selector.select(0):
            key.data(key.fileobj)
        self.conversation.read_pipelined()

    def responded(self, *, keeps=True):
        self.connection.keeps = keeps
        self.conversation.send_rest(self.connection)


@pytest.fixture
def client():
    theirs, ours = socket.socketpair()
    with theirs, ours, closing(selectors.DefaultSelector()) as selector:
        yield theirs, Desk(selector, ours)


def test_next_request_that_is_there_already_has_to_wait_for_its_turn(client):
    """Other connections come first, or a client that sends much at once would be served alone."""
    theirs, desk = client
    theirs.sendall(PING + PING.replace(b"ping", b"whoami") + b"GET /-/pi")
    desk.conversation.read(desk.connection)
    assert desk.handed == ["/-/ping"]
    desk.responded()
    assert desk.handed == ["/-/ping"]
    desk.conversation.read_pipelined()
    assert desk.handed == ["/-/ping", "/-/whoami"]
    desk.responded()
    desk.conversation.read_pipelined()
    assert (len(desk.handed), desk.connection.held) == (2, b"GET /-/pi")


def test_what_is_answered_at_once_needs_no_thread(client):
    """The connection goes on as after any other response, and the client's next request has to wait for its turn."""
    theirs, desk = client
    desk.at_once = {"/-/ping"}
    theirs.sendall(PING + PING + PING.replace(b"ping", b"whoami"))
    desk.conversation.read(desk.connection)
    assert theirs.recv(100) == b"/-/ping"
    desk.conversation.read_pipelined()
    assert theirs.recv(100) == b"/-/ping"
    assert desk.handed == []
    desk.conversation.read_pipelined()
    assert desk.handed == ["/-/whoami"]


@pytest.mark.parametrize("at_once", [{"/-/ping"}, set()])
def test_client_that_ends_what_it_sends_wants_all_answers(client, at_once):
    """Its end is seen before its requests had their turns. The connection is closed after the last answer."""
    theirs, desk = client
    desk.at_once = at_once
    theirs.sendall(PING * 4)
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(20):
        desk.turn()
        if desk.connection.request is not None:
            desk.connection.output.sendall(b"/-/ping")
            desk.responded()
    assert theirs.recv(100) == b"/-/ping" * 4
    assert len(desk.poller.connections) == 0


def test_half_a_request_behind_the_others_is_none(client):
    """Nobody waits for the rest of it when the client has ended."""
    theirs, desk = client
    desk.at_once = {"/-/ping"}
    theirs.sendall(PING * 2 + b"GET /-/pi")
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(8):
        desk.turn()
    assert theirs.recv(100) == b"/-/ping" * 2
    assert len(desk.poller.connections) == 0


def test_request_that_has_come_waits_for_nothing_but_its_turn(client):
    """No selector tells of it."""
    theirs, desk = client
    desk.at_once = {"/-/ping"}
    theirs.sendall(PING * 3)
    desk.turn()
    assert desk.conversation.has_pipelined
    desk.turn()
    assert theirs.recv(100) == b"/-/ping" * 3
    assert not desk.conversation.has_pipelined


def test_connection_that_went_on_meanwhile_has_had_its_turn(client):
    """A request is handed over once."""
    theirs, desk = client
    theirs.sendall(PING + b"GET /-/pi")
    desk.conversation.read(desk.connection)
    desk.responded()
    theirs.sendall(b"ng HTTP/1.1\r\nHost: a\r\n\r\n")
    desk.conversation.read(desk.connection)
    desk.conversation.read_pipelined()
    assert desk.handed == ["/-/ping", "/-/ping"]


def test_connection_that_ended_has_no_turn(client):
    """It is closed."""
    theirs, desk = client
    theirs.sendall(PING * 2)
    desk.conversation.read(desk.connection)
    desk.responded()
    desk.poller.drop(desk.connection)
    desk.conversation.read_pipelined()
    assert len(desk.handed) == 1


def test_last_response_is_followed_by_the_end(client):
    """What the client sends behind it is read and not looked at, until the client ends the connection."""
    theirs, desk = client
    theirs.sendall(PING * 2)
    desk.conversation.read(desk.connection)
    desk.responded(keeps=False)
    assert theirs.recv(1) == b""
    theirs.sendall(PING)
    desk.connection.when_ready(desk.connection)
    assert (len(desk.handed), len(desk.poller.connections)) == (1, 1)
    theirs.shutdown(socket.SHUT_WR)
    desk.connection.when_ready(desk.connection)
    assert len(desk.poller.connections) == 0


def test_what_is_no_request_is_refused(client):
    """And nothing behind it is a request."""
    theirs, desk = client
    theirs.sendall(b"NONSENSE\r\n\r\n" + PING)
    desk.conversation.read(desk.connection)
    desk.conversation.read_pipelined()
    assert (desk.handed, desk.refused) == ([], ["InvalidRequestLine"])
    assert desk.connection.when_ready == desk.conversation.discard
