"""Large bodies: refused unread, read by a few threads, else stored; and never more than there is room for."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

import pytest
from support.impatient import SHORT, impatient, is_open, read_answer, read_exactly

from nproxy_mw.testing.documents import publish_document

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024
ANONYMOUS = b"PUT /@acme%%2futils HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"


def document(name, size=300_000):
    """A publish document that is larger than what a thread never reads itself."""
    return publish_document(name, "1.0.0", files={"noise": os.urandom(size)})


@contextmanager
def holding(server):
    """One client is in the middle of a large upload: it has the only thread that reads bodies itself."""
    with server.connect(server.head("PUT", "/@acme%2fheld", "Content-Length: 900000") + b"{") as held:
        assert server.ask("GET", "/-/ping") == (200, {})
        yield held
        assert is_open(held)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with impatient(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    with impatient(tmp_path_factory.mktemp("hasty"), **SHORT) as server:
        yield server


def test_upload_without_a_token_is_refused_before_it_comes(server):
    """The answer says that the connection ends, and comes while the body does not."""
    with server.connect(ANONYMOUS % (50 * MIB) + b"\r\n{") as connection:
        status, head, _ = read_answer(connection)
        assert status == 401
        assert "connection: close" in head
        assert connection.recv(1) == b""


def test_little_of_a_refused_upload_is_taken(hasty):
    """The client cannot get rid of all of it."""
    with hasty.connect(ANONYMOUS % (50 * MIB) + b"\r\n{") as connection:
        assert read_answer(connection)[0] == 401
        with pytest.raises(ConnectionError):
            connection.sendall(bytes(50 * MIB))


def test_upload_that_is_too_large_is_taken_for_its_sentence(hasty):
    """npm shows what it was answered only when it could send everything."""
    with hasty.connect(hasty.head("PUT", "/@acme%2futils", f"Content-Length: {60 * MIB}")) as connection:
        connection.sendall(bytes(60 * MIB))
        status, _, body = read_answer(connection)
        assert (status, b"50 MB" in body) == (413, True)


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_large_body_is_read_by_a_thread(server, chunked):
    """As it comes."""
    name = f"@acme/direct-{chunked}".lower()
    assert server.ask("PUT", f"/{name.replace('/', '%2f')}", document(name), chunked=chunked)[0] == 201


def test_connection_goes_on_behind_a_large_body(server):
    """What the thread read too much of is the next request."""
    body = json.dumps(document("@acme/followed")).encode()
    ping = server.head("GET", "/-/ping")
    with server.connect(server.head("PUT", "/@acme%2ffollowed", f"Content-Length: {len(body)}")) as connection:
        connection.sendall(body + ping)
        assert [read_answer(connection)[0] for _ in range(2)] == [201, 200]
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        connection.sendall(server.head("PUT", "/@acme%2ffollowed", "Transfer-Encoding: chunked") + chunked + ping)
        assert [read_answer(connection)[0] for _ in range(2)] == [409, 200]


def test_large_body_is_stored_while_no_thread_can_read_it(server):
    """A publish passes however many slow ones there are, and what is stored is what was sent."""
    with holding(server):
        sent = document("@acme/stored")
        assert server.ask("PUT", "/@acme%2fstored", sent)[0] == 201
    _, packument = server.ask("GET", "/@acme%2fstored")
    assert packument["versions"]["1.0.0"]["dist"]["integrity"] == sent["versions"]["1.0.0"]["dist"]["integrity"]


@pytest.mark.parametrize(
    "header",
    ["Transfer-Encoding: chunked", f"Content-Length: {200 * MIB}"],
    ids=["length unknown", "too large to be stored"],
)
def test_what_cannot_be_stored_is_told_to_come_again(server, header):
    """503 with Retry-After: nothing waits longer than a moment for a thread."""
    with holding(server), server.connect(server.head("PUT", "/@acme%2flate", header) + b"5\r\n{") as connection:
        status, head, body = read_answer(connection)
        assert (status, json.loads(body)["code"]) == (503, "server-busy")
        assert "retry-after: 10" in head


def test_body_for_which_there_is_no_room_is_told_to_come_again(tmp_path):
    """The disk is bounded, and small requests go on."""
    with impatient(tmp_path, disk=100_000) as server, holding(server):
        status, answer = server.ask("PUT", "/@acme%2fstored", document("@acme/stored"))
        assert (status, answer["code"]) == (503, "server-busy")
        assert server.ask("PUT", "/@acme%2fsmall", publish_document("@acme/small", "1.0.0"))[0] == 201


@pytest.mark.parametrize("size", [10, 300_000], ids=["small", "large"])
def test_client_that_expects_100_continue_gets_it(server, size):
    """When its body is wanted."""
    name = f"@acme/expects-{size}"
    body = json.dumps(document(name, size)).encode()
    head = server.head("PUT", f"/@acme%2fexpects-{size}", f"Content-Length: {len(body)}", "Expect: 100-continue")
    with server.connect(head) as connection:
        assert read_exactly(connection, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection)[0] == 201


def test_client_that_expects_100_continue_is_refused_without_it(server):
    """Its body is not wanted."""
    with server.connect(ANONYMOUS % (50 * MIB) + b"Expect: 100-continue\r\n\r\n") as connection:
        assert read_answer(connection)[0] == 401
