"""Poller: the next step is taken when a client does something, and an error ends one connection alone."""

from __future__ import annotations

import math
import selectors
import socket
from contextlib import closing

import pytest
from gunicorn.config import Config

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.budget import Budget
from nproxy_mw.cli.worker.connection import Connection
from nproxy_mw.cli.worker.connections import Connections
from nproxy_mw.cli.worker.output import OutputBuffer
from nproxy_mw.cli.worker.poller import Poller


class Log:
    """Counts what was logged."""

    def __init__(self):
        self.logged = 0

    def exception(self, text):
        self.logged += 1


@pytest.fixture
def poller():
    with closing(selectors.DefaultSelector()) as selector:
        yield Poller(selector, Connections(10, 10), Log())


@pytest.fixture
def client():
    """The client's end of a connection, and the server's."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, Connection(Config(), ours, "", "", bounds=Bounds(), output=OutputBuffer(ours, Budget(0, 0)))


def turn(poller):
    for key, _ in poller.selector.select(0):
        key.data(key.fileobj)


def test_step_is_taken_when_the_client_sends(poller, client):
    """At once for what is there already, later for the rest."""
    theirs, connection = client
    got = []
    theirs.send(b"a")
    poller.add(connection, lambda one: got.append(one.stream.recv(9)), deadline=1.0)
    assert (got, len(poller.connections), connection.deadline) == ([b"a"], 1, 1.0)
    turn(poller)
    theirs.send(b"b")
    turn(poller)
    assert got == [b"a", b"b"]


def test_what_is_waited_for_changes(poller, client):
    """Nothing, to read, to write; and the same once more costs nothing."""
    theirs, connection = client
    got = []
    poller.add(connection, lambda one: got.append(one.events), deadline=1.0)
    got.clear()
    theirs.send(b"a")
    for events in (0, 0, selectors.EVENT_WRITE, selectors.EVENT_READ, selectors.EVENT_READ, selectors.EVENT_WRITE, 0):
        poller.watch(connection, events)
        turn(poller)
    assert got == [selectors.EVENT_WRITE, selectors.EVENT_READ, selectors.EVENT_READ, selectors.EVENT_WRITE]


@pytest.mark.parametrize(
    ("error", "is_kept", "logged"),
    [
        pytest.param(BlockingIOError(), True, 0, id="nothing to do"),
        pytest.param(ConnectionResetError(), False, 0, id="client gone"),
        pytest.param(ValueError(), False, 1, id="bug"),
    ],
)
def test_error_ends_its_connection(poller, client, error, is_kept, logged):
    """And a bug is logged."""

    def step(_):
        raise error

    _, connection = client
    poller.add(connection, step, deadline=1.0)
    assert (connection in poller.connections, poller.log.logged) == (is_kept, logged)
    assert (connection.stream.fileno() >= 0) is is_kept
    poller.drop(connection)
    poller.drop(connection)
    assert len(poller.connections) == 0


def test_connection_that_a_thread_has_is_not_closed(poller, client):
    """Its descriptor could be that of another connection by the time the thread writes to it."""
    theirs, connection = client
    got = []
    poller.add(connection, got.append, deadline=math.inf)
    poller.drop(connection)
    assert connection.stream.fileno() >= 0
    theirs.send(b"a")
    turn(poller)
    assert got == [connection]
    connection.deadline = 0.0
    poller.drop(connection)
    assert connection.stream.fileno() < 0
