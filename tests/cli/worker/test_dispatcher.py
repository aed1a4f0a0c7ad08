"""Dispatcher: which request gets a thread, and whether the worker takes more connections."""

from __future__ import annotations

import math

import pytest

from nproxy_mw.cli.worker.bounds import Bounds
from nproxy_mw.cli.worker.dispatcher import Dispatcher


class Conn:
    """A connection with a request."""

    def __init__(self, address="a"):
        self.address, self.held, self.stream, self.is_direct, self.deadline = address, b"held", self, False, 0.0

    def take(self, size):
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def recv(self, size):
        return b"more"


class Request:
    """What it asks."""

    def read_from(self, stream, held, bounds):
        self.given = held


class FakePoller:
    """What is waited for."""

    def __init__(self):
        self.connections, self.watched = [], []

    def watch(self, connection, events):
        self.watched.append((connection, events))


class Desk:
    """A dispatch with what it gave to the threads."""

    def __init__(self, threads):
        self.poller, self.submitted = FakePoller(), []
        self.dispatch = Dispatcher(self.poller, Bounds(), threads, self.submitted.append)

    def whole(self, address="a"):
        self.dispatch.hand_over(Conn(address))

    def unread(self):
        connection, request = Conn(), Request()
        self.poller.connections.append(connection)
        self.dispatch.hand_over_unread(connection, request)
        return connection, request

    def finish(self):
        self.dispatch.finished(self.submitted.pop(0))


def test_threads_have_one_request_and_another_at_hand():
    """The rest waits in fair turns."""
    desk = Desk(threads=2)
    for _ in range(6):
        desk.whole()
    desk.whole("newcomer")
    assert len(desk.submitted) == 4
    desk.finish()
    desk.finish()
    assert [one.address for one in desk.submitted[-2:]] == ["a", "newcomer"]
    assert all(one.deadline == math.inf for one in desk.submitted)


def test_connections_are_accepted_while_a_thread_is_free():
    """And when a thread that had more to do did it: once for each time."""
    desk = Desk(threads=2)
    desk.whole()
    assert desk.dispatch.may_accept()
    for _ in range(3):
        desk.whole()
        assert not desk.dispatch.may_accept()
    desk.finish()
    assert desk.dispatch.may_accept()
    desk.dispatch.accepted()
    assert not desk.dispatch.may_accept()
    desk.finish()
    assert desk.dispatch.may_accept()
    desk.dispatch.accepted()
    desk.finish()
    assert desk.dispatch.may_accept()
    desk.whole()
    assert not desk.dispatch.may_accept()


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (2, 1), (7, 1), (8, 2), (16, 4)])
def test_quarter_of_the_threads_reads_bodies(threads, at_once):
    """At least one; the others wait, and follow."""
    desk = Desk(threads)
    asked = [desk.unread() for _ in range(at_once + 1)]
    assert [one for one in desk.submitted if one.is_direct] == [connection for connection, _ in asked[:-1]]
    assert asked[0][1].given == b"held"
    desk.finish()
    assert asked[-1][0].is_direct
    assert not asked[0][0].is_direct
    assert desk.poller.watched == [(connection, 0) for connection, _ in asked]


def test_who_overdue_for_such_a_thread_is_taken_back():
    """And who left meanwhile is forgotten."""
    desk = Desk(threads=4)
    _, late, gone, last = [desk.unread() for _ in range(4)]
    desk.poller.connections.remove(gone[0])
    assert list(desk.dispatch.overdue(0.0)) == []
    assert list(desk.dispatch.overdue(math.inf)) == [late, last]
    assert list(desk.dispatch.overdue(math.inf)) == []


def test_who_left_while_waiting_gets_no_thread():
    """The next one does."""
    desk = Desk(threads=4)
    _, gone, last = [desk.unread() for _ in range(3)]
    desk.poller.connections.remove(gone[0])
    desk.finish()
    assert desk.submitted == [last[0]]


def test_next_request_is_taken_ahead_up_to_a_limit():
    """Then the client has to wait."""
    desk = Desk(threads=1)
    connection = Conn()
    desk.dispatch.read_ahead(connection)
    assert (connection.held, desk.poller.watched) == (b"heldmore", [])
    connection.held = bytes(Bounds().head_size)
    desk.dispatch.read_ahead(connection)
    assert (len(connection.held), desk.poller.watched) == (Bounds().head_size, [(connection, 0)])


def test_end_of_a_client_waits_for_its_thread():
    """A connection is not looked at any more until its answer is there."""
    desk = Desk(threads=1)
    connection = Conn()
    connection.recv = lambda size: b""
    desk.dispatch.read_ahead(connection)
    assert desk.poller.watched == [(connection, 0)]
