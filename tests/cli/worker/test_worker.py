"""Worker: what it answers and logs by itself, what it asks of clients, and how it ends."""

from __future__ import annotations

import errno
import json
import math
import signal
import socket
import time
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from nproxy_mw.cli.worker import Worker
from nproxy_mw.cli.worker.connections import Connections
from nproxy_mw.cli.worker.refusals import Overloaded


class Log:
    """What was logged."""

    def __init__(self):
        self.lines = []

    def warning(self, text, *values):
        self.lines.append(text % values)

    def error(self, text, *values, exc_info):
        self.lines.append(f"{text % values}: {exc_info}")


class Client:
    """An output."""

    def __init__(self, *, has_begun=False):
        self.has_begun, self.sent = has_begun, b""

    def sendall(self, data):
        self.sent += data


@pytest.fixture
def worker():
    worker = Worker(1, 0, [], None, 30, Config(), Log())
    worker.connections = SimpleNamespace(is_half_full=False)
    worker.conversation = SimpleNamespace(pace=0)
    yield worker
    worker.tmp.close()


@pytest.mark.parametrize("error", [errors.ConfigurationProblem("secret"), RuntimeError("secret")])
def test_fault_of_the_server_is_told_without_details(worker, error):
    """500 with an id, and the log has the error under that id."""
    client = Client()
    worker.handle_error(None, client, ("192.0.2.1", 1), error)
    head, _, body = client.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert b"secret" not in client.sent
    (line,) = worker.log.lines
    assert line.startswith(f"request {json.loads(body)['requestId']} failed in the server: ")
    assert line.endswith("secret")


def test_answer_that_was_begun_is_not_answered_again(worker):
    """The log says what happened."""
    client = Client(has_begun=True)
    worker.handle_error(None, client, ("192.0.2.1", 1), RuntimeError("x"))
    assert client.sent == b""
    assert len(worker.log.lines) == 1


def test_refusals_do_not_flood_the_log(worker):
    """Ten of them each second, and how many there were besides; a client of a Unix socket has no address."""
    for _ in range(25):
        worker.handle_error(None, Client(), "", errors.InvalidRequestLine("x"))
    assert worker.log.lines == ["what a client sent was refused: 400 Bad Request"] * 10
    worker.look_around()
    assert worker.log.lines[10:] == ["15 more requests were refused"]
    worker.handle_error(None, Client(), ("192.0.2.1", 1), Overloaded())
    assert worker.log.lines[11:] == ["what 192.0.2.1 sent was refused: 503 Service Unavailable"]
    worker.look_around()
    assert len(worker.log.lines) == 12


@pytest.mark.parametrize(("crowded", "full"), [(True, False), (False, True), (True, True)])
def test_crowded_worker_asks_for_a_better_pace(worker, crowded, full):
    """Until it is not crowded any more: half of its connections, or of its room on disk."""
    worker.budget = SimpleNamespace(is_half_full=full)
    worker.connections.is_half_full = crowded
    worker.look_around()
    assert worker.conversation.pace == worker.bounds.brisk
    worker.budget.is_half_full = worker.connections.is_half_full = False
    worker.look_around()
    assert worker.conversation.pace == worker.bounds.slowest


@pytest.mark.parametrize(
    ("name", "value"), [("certfile", "x"), ("proxy_protocol", "v1"), ("protocol", "uwsgi"), ("http_protocols", "h1,h2")]
)
def test_what_a_proxy_does_better_is_refused_at_the_start(name, value):
    """In a sentence, as gunicorn shows a RuntimeError."""
    config = Config()
    config.set(name, value)
    with pytest.raises(RuntimeError, match="leave TLS, HTTP/2, uWSGI and the PROXY protocol to a proxy"):
        Worker.check_config(config, None)
    Worker.check_config(Config(), None)


def test_worker_ends_between_two_turns(worker, monkeypatch):
    """Never in the signal's handler, which may have interrupted the code that holds the lock of the threads."""
    deferred, ended = [], []
    worker.method_queue = SimpleNamespace(defer=deferred.append)
    monkeypatch.setattr(ThreadWorker, "handle_quit", lambda self, sig, frame: ended.append(sig))
    monkeypatch.setattr(ThreadWorker, "wait_for_and_dispatch_events", lambda self, timeout: None)
    worker.booted, worker._accepting = True, True
    worker.dispatcher = SimpleNamespace(may_accept=lambda: True)
    worker.conversation = SimpleNamespace(read_pipelined=lambda: None, has_pipelined=False)
    worker.wait_for_and_dispatch_events(1.0)
    worker.handle_quit(signal.SIGQUIT, None)
    assert (len(deferred), ended) == (1, [])
    worker.wait_for_and_dispatch_events(1.0)
    assert ended == [signal.SIGQUIT]


@pytest.mark.parametrize(("has_pipelined", "timeout"), [(True, 0), (False, 1.0)])
def test_worker_waits_only_when_nobody_else_does(worker, monkeypatch, has_pipelined, timeout):
    """A request that came with the one before wakes nobody."""
    waited = []
    monkeypatch.setattr(ThreadWorker, "wait_for_and_dispatch_events", lambda self, timeout: waited.append(timeout))
    worker._accepting = True
    worker.conversation = SimpleNamespace(read_pipelined=lambda: None, has_pipelined=has_pipelined)
    worker.wait_for_and_dispatch_events(1.0)
    assert waited == [timeout]


def test_worker_that_is_still_starting_ends_at_once(worker, monkeypatch):
    """It has no threads, and may be waiting for its storage."""
    worker.method_queue = SimpleNamespace(defer=lambda call: None)

    def end(*_):
        raise SystemExit

    monkeypatch.setattr(ThreadWorker, "handle_quit", end)
    with pytest.raises(SystemExit):
        worker.handle_quit(signal.SIGQUIT, None)


class Conn:
    """A connection, as far as a worker looks at it."""

    def __init__(self, deadline, request=None):
        self.address, self.deadline, self.request = "a", deadline, request


class Listener:
    """A listener on which the next connection fails."""

    def __init__(self, error):
        self.error = error

    def accept(self):
        raise self.error


@pytest.fixture
def accepting(worker, monkeypatch):
    """A worker that accepts, with what it does about connections."""
    worker.enabled, worker.dropped = [], []
    monkeypatch.setattr(ThreadWorker, "set_accept_enabled", lambda self, enabled: worker.enabled.append(enabled))
    worker.dispatcher = SimpleNamespace(may_accept=lambda: True, accepted=lambda: None)
    worker.connections = Connections(10, 10)
    worker.polling = SimpleNamespace(drop=worker.dropped.append)
    return worker


def test_worker_without_descriptors_makes_room_and_waits(accepting):
    """The listener stays ready: without a pause the worker would do nothing but try again."""
    idle = Conn(time.monotonic())
    held = Conn(math.inf)
    accepting.connections.add(idle)
    accepting.connections.add(held)
    accepting.take(Listener(OSError(errno.EMFILE, "Too many open files")))
    assert accepting.dropped == [idle]
    assert accepting.enabled == [False]
    accepting.set_accept_enabled(True)
    assert accepting.enabled == [False, False]
    accepting.accept_at = time.monotonic()
    accepting.set_accept_enabled(True)
    assert accepting.enabled == [False, False, True]
    assert accepting.log.lines == ["no connection can be accepted now: Too many open files"]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN])
def test_connection_that_fails_before_it_is_accepted_is_nothing(accepting, number):
    """accept(2) reports errors of the network on it."""
    accepting.take(Listener(OSError(number, "No")))
    assert (accepting.enabled, accepting.dropped, accepting.log.lines) == ([], [], [])


def test_worker_whose_threads_are_held_accepts_nothing(accepting):
    """Not even one that waits already."""
    accepting.dispatcher.may_accept = lambda: False
    accepting.take(Listener(AssertionError("accepted")))
    assert accepting.enabled == [False]


def test_turn_has_an_order(worker, monkeypatch):
    """Requests that are there, then new connections, then the next requests of clients that do not wait."""
    order = []

    def dispatch(self, timeout):
        order.append("requests")
        self.accept("listener")

    monkeypatch.setattr(ThreadWorker, "wait_for_and_dispatch_events", dispatch)
    monkeypatch.setattr(Worker, "take", lambda self, listener: order.append(listener))
    monkeypatch.setattr(Worker, "set_accept_enabled", lambda self, enabled: order.append("accept again"))
    worker.conversation = SimpleNamespace(read_pipelined=lambda: order.append("pipelined"), has_pipelined=False)
    worker.wait_for_and_dispatch_events(1.0)
    assert order == ["requests", "listener", "accept again", "pipelined"]
    worker._accepting = True
    worker.wait_for_and_dispatch_events(1.0)
    assert order[4:] == ["requests", "listener", "pipelined"]


def test_worker_prepares_its_listeners(worker, monkeypatch):
    """For each, the system holds little of a response; and gunicorn's own bound of connections is above ours."""
    monkeypatch.setattr(ThreadWorker, "init_process", lambda self: None)
    worker.worker_connections = 100
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.sockets = [listener]
        worker.init_process()
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 256 * 1024
    assert (worker.worker_connections, worker.connections.capacity, worker.connections.per_address) == (101, 100, 50)


def test_worker_says_that_it_is_alive_once_a_second(worker, monkeypatch):
    """Not at each event."""
    said = []
    monkeypatch.setattr(ThreadWorker, "notify", lambda self: said.append(1))
    worker.notify()
    worker.notify()
    assert len(said) == 1
    worker.notify_at = time.monotonic()
    worker.notify()
    assert len(said) == 2


def test_worker_that_ends_waits_little_for_idle_clients(worker):
    """Those with a request have all of their time."""
    idle, soon, busy = Conn(9.0), Conn(1.0), Conn(9.0, "a request")
    worker.connections = Connections(10, 10)
    for one in (idle, soon, busy):
        worker.connections.add(one)
    worker._cap_keepalive(2.0)
    assert [one.deadline for one in (idle, soon, busy)] == [2.0, 1.0, 9.0]


def test_worker_that_ends_closes_all_connections(accepting):
    """When gunicorn says so."""
    one = Conn(1.0)
    accepting.connections.add(one)
    accepting.murder_keepalived()
    assert accepting.dropped == []
    accepting.murder_keepalived(force=True)
    assert accepting.dropped == [one]
