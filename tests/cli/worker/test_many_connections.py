"""More connections than a worker holds, or the system, or one client may have."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import pytest
from support.impatient import SHORT, impatient, is_open, read_answer

pytestmark = pytest.mark.e2e

PING = b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\n"


def test_idle_connections_do_no_harm(tmp_path):
    """Twelve times as many as a worker holds, of many clients."""
    with impatient(tmp_path, connections=32) as server, ExitStack() as stack:
        for client in range(20):
            stack.enter_context(server.crowd(20, source=f"127.0.0.{client + 1}"))
        assert server.ask("GET", "/-/ping", source="127.0.0.50") == (200, {})
        assert server.connections() <= 32


def test_client_with_too_many_connections_loses_its_own(tmp_path):
    """And not those of others: half of a worker's connections is the share of one address."""
    with impatient(tmp_path, connections=32) as server, server.connect(PING, source="127.0.0.2") as other:
        assert read_answer(other)[0] == 200
        with server.crowd(100, PING) as crowd:
            assert server.ask("GET", "/-/ping") == (200, {})
            assert server.connections() <= 1 + 16
            assert sum(map(is_open, crowd)) <= 16
            assert is_open(other)


def test_worker_out_of_descriptors_goes_on(tmp_path):
    """It makes room and accepts nothing for a moment; it does not end, and every request under way with it."""
    with impatient(tmp_path, files=24, **SHORT) as server, ExitStack() as stack:
        before = server.workers()
        for client in range(8):
            stack.enter_context(server.crowd(8, source=f"127.0.0.{client + 1}"))
        assert server.ask("GET", "/-/ping") == (200, {})
        assert server.workers() == before
        assert "Too many open files" in server.log.read_text()


@pytest.mark.parametrize("number", [2, 8], ids=["as many as there are threads", "more than there are threads"])
def test_clients_that_do_not_wait_for_responses_keep_nobody_out(tmp_path, number):
    """A newcomer is served before any of them has all that it asked for."""
    with impatient(tmp_path, threads=2) as server, server.crowd(number, PING * 10_000) as crowd:
        assert server.ask("GET", "/-/ping") == (200, {})
        assert all(b"".join(received(connection)).count(b"HTTP/1.1 200") < 10_000 for connection in crowd)


def received(connection):
    connection.setblocking(False)
    with suppress(BlockingIOError):
        while data := connection.recv(65536):
            yield data


_HOLDING = """
import os
from threading import Event

held = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        held.append(1)
        Event().wait(60)
    body = f"{os.getpid()} {len(held)}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture
def port(tmp_path):
    """gunicorn with two workers of two threads each, and an application that can hold a thread."""
    (tmp_path / "holding.py").write_text(_HOLDING)
    command = [sys.executable, "-m", "gunicorn", "--config", "python:nproxy_mw.cli.gunicorn_conf", "--threads", "2"]
    command += ["--bind", "127.0.0.1:0", "--graceful-timeout", "1", "holding:app"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    with process:
        lines = (line for line in process.stderr if "Listening at" in line)
        yield int(re.search(r":(\d+) \(", next(lines))[1])
        process.terminate()


def get(port, path):
    """Process and number of held threads, as the worker says them that answers."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        return tuple(map(int, connection.getresponse().read().split()))


def test_worker_whose_threads_are_held_leaves_connections_to_the_other(port):
    """Of three requests that hold a thread one worker has at least two, and all its threads with them."""
    with ExitStack() as stack:
        for _ in range(3):
            holding = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            holding.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            answered = [get(port, "/") for _ in range(10)]
        assert len({worker for worker, _ in answered}) == 1
        assert {held for _, held in answered} <= {0, 1}
