"""Slow and silent clients of the real program: they cost a connection and no thread, and they come to an end."""

from __future__ import annotations

import os
import socket

import pytest
from support.impatient import SHORT, eventually, impatient, is_ended, is_open, read_all, read_answer

from nproxy_mw.testing.documents import publish_document

pytestmark = pytest.mark.e2e

MANY = 60  # fifteen times as many as there are threads
PING = b"GET /-/ping HTTP/1.1\r\nHost: a\r\n"
PUT = b"PUT /@acme%2futils HTTP/1.1\r\nHost: a\r\n"
WORDY = {"description": "x" * 3_000_000}
LARGE = publish_document(
    "@acme/large", "1.0.0", files={"noise": os.urandom(6_000_000)}, manifest=WORDY, package_json=WORDY
)
LARGE_PATHS = ("/@acme/large/-/large-1.0.0.tgz", "/@acme%2flarge")


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """A server with the bounds that it has, so that a client which holds a thread is seen to."""
    with impatient(tmp_path_factory.mktemp("patient")) as server:
        assert server.ask("PUT", "/@acme%2flarge", LARGE)[0] == 201
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server that gives clients half a second."""
    with impatient(tmp_path_factory.mktemp("hasty"), keep_alive=1, **SHORT) as server:
        assert server.ask("PUT", "/@acme%2flarge", LARGE)[0] == 201
        yield server


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"G", id="a byte"),
        pytest.param(b"GET /-/pi", id="half a line"),
        pytest.param(PING + b"X-Half", id="half a header"),
        pytest.param(PUT + b"Content-Length: 1000\r\n\r\n{", id="half a body"),
        pytest.param(PING + b"Content-Length: 1000\r\n\r\n{", id="a body nobody reads"),
        pytest.param(PING + b"\r\n", id="a whole request, and no other"),
        pytest.param(PING + b"\r\nGET /-/pi", id="half a second request"),
    ],
)
def test_stalled_clients_keep_no_thread(patient, sent):
    """Others are answered while none of them has ended."""
    with patient.crowd(MANY, sent) as crowd:
        assert patient.ask("GET", "/-/ping") == (200, {})
        assert all(is_open(connection) for connection in crowd)


@pytest.mark.parametrize("length", ["Content-Length: 900000", "Transfer-Encoding: chunked"])
def test_clients_that_send_half_a_large_body_keep_few_threads(patient, length):
    """A quarter of the threads, of which this server has four."""
    with patient.crowd(MANY, patient.head("PUT", "/@acme%2futils", length) + b"5\r\n{") as crowd:
        assert patient.ask("GET", "/-/ping") == (200, {})
        assert any(is_open(connection) for connection in crowd)


@pytest.mark.parametrize("path", LARGE_PATHS)
def test_clients_that_do_not_read_keep_no_thread(patient, path):
    """Whether the answer is a stored tarball or a document."""
    with patient.crowd(MANY, patient.head("GET", path) * 3, buffer=4096) as crowd:
        for connection in crowd[-5:]:
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert patient.ask("GET", "/-/ping") == (200, {})
        for connection in crowd[-5:]:
            connection.recv(4096)


@pytest.mark.parametrize("bounds", [{}, {"memory": 0}], ids=["in memory", "in a temporary file"])
def test_slow_reader_gets_the_whole_answer(tmp_path, bounds):
    """From wherever the rest of it waits, and the answers to what it asked meanwhile, in order."""
    with impatient(tmp_path, **bounds) as server:
        assert server.ask("PUT", "/@acme%2flarge", LARGE)[0] == 201
        asked = b"".join(server.head("GET", path) for path in LARGE_PATHS)
        with server.connect(asked) as fast, server.connect(asked, buffer=4096) as slow:
            expected = [read_answer(fast), read_answer(fast)]
            assert server.ask("GET", "/-/ping") == (200, {})
            got = [read_answer(slow), read_answer(slow)]
        assert [status for status, _, _ in expected] == [200, 200]
        assert [body for _, _, body in got] == [body for _, _, body in expected]


@pytest.mark.parametrize(
    ("sent", "going_on"),
    [
        pytest.param(b"", b"", id="silence"),
        pytest.param(PING + b"X: ", b"a", id="a head that goes on byte by byte"),
        pytest.param(PING + b"\r\n", b"", id="a kept connection"),
        pytest.param(PING + b"\r\nGET /-/pi", b"n", id="a second request that goes on byte by byte"),
        pytest.param(PUT + b"Content-Length: 60000\r\n\r\n{", b" ", id="a body that goes on byte by byte"),
        pytest.param(PUT + b"Content-Length: 60000\r\n\r\n{", b"", id="a body that does not go on"),
    ],
)
def test_what_does_not_go_on_is_ended(hasty, sent, going_on):
    """A byte now and then is not going on."""
    with hasty.connect(sent) as connection:
        assert is_ended(connection, going_on)


@pytest.mark.parametrize("length", [1000, 900_000], ids=["small", "large"])
def test_body_that_stalls_is_answered(hasty, length):
    """400 body-cut-short, as for a connection that breaks, and no bug is logged."""
    with hasty.connect(hasty.head("PUT", "/@acme%2futils", f"Content-Length: {length}") + b"{") as connection:
        status, head, body = read_answer(connection)
        assert (status, b"body-cut-short" in body) == (400, True)
        assert "connection: close" in head


def test_body_that_ends_early_is_answered(hasty):
    """A client that half-closes its connection reads why."""
    with hasty.connect(hasty.head("PUT", "/@acme%2futils", "Content-Length: 1000") + b"{") as connection:
        connection.shutdown(socket.SHUT_WR)
        status, _, body = read_answer(connection)
        assert (status, b"body-cut-short" in body) == (400, True)


@pytest.mark.parametrize("path", LARGE_PATHS)
def test_client_that_stops_reading_is_cut_off(hasty, path):
    """Its answer is shorter than it was announced, so that nothing looks whole."""
    with hasty.connect(hasty.head("GET", path), buffer=4096) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert eventually(lambda: hasty.connections() == 0)
        assert len(read_all(connection)) < 3_000_000
