"""Worker: what it answers and logs by itself, what it asks of clients, and how it ends."""

from __future__ import annotations

import json
import signal
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from nproxy_mw.cli.worker import Worker
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
    worker.conversation = SimpleNamespace(read_pipelined=lambda: None)
    worker.wait_for_and_dispatch_events(1.0)
    worker.handle_quit(signal.SIGQUIT, None)
    assert (len(deferred), ended) == (1, [])
    worker.wait_for_and_dispatch_events(1.0)
    assert ended == [signal.SIGQUIT]


def test_worker_that_is_still_starting_ends_at_once(worker, monkeypatch):
    """It has no threads, and may be waiting for its storage."""
    worker.method_queue = SimpleNamespace(defer=lambda call: None)

    def end(*_):
        raise SystemExit

    monkeypatch.setattr(ThreadWorker, "handle_quit", end)
    with pytest.raises(SystemExit):
        worker.handle_quit(signal.SIGQUIT, None)
