"""No answer is taken for another: whatever an upstream sends before, in and behind its answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import parse_headers

import pytest
from support.wire import read

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.upstream.connections import MAX_INTERIM
from nproxy_mw.upstream.transport import Urllib3Transport

FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


class Script:
    """An upstream that answers the first request of its life with the bytes of a script, and each other one by name.

    *connections* counts what was opened to it.
    """

    def __init__(self, *script: bytes) -> None:
        self.script = list(script)
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self.listening.accept()[0]
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests, suppress(OSError):
            while line := requests.readline():
                requests.read(int(parse_headers(requests).get("Content-Length", 0)))
                if self.script:
                    connection.sendall(self.script.pop(0))
                    continue
                name = line.split(b" ")[1]
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))

    def close(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join()


@pytest.fixture
def scripts() -> Iterator[list[Script]]:
    running: list[Script] = []
    yield running
    for script in running:
        script.close()


def scripted(scripts: list[Script], *answers: bytes) -> tuple[Script, Urllib3Transport]:
    scripts.append(Script(*answers))
    return scripts[-1], Urllib3Transport(scripts[-1].url, read_timeout=60)


@pytest.mark.parametrize("count", [1, 2, MAX_INTERIM])
@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"199 Whatever"])
def test_interim_answers_are_skipped(scripts: list[Script], status: bytes, count: int) -> None:
    """RFC 9110, 15.2: they come before the answer. Their fields are not the answer's, and the connection is good."""
    interim = b"HTTP/1.1 " + status + b"\r\nX-Interim: 1\r\n\r\n"
    script, transport = scripted(scripts, interim * count + FIRST)
    with transport.send("GET", "/a") as answer:
        assert (answer.status, answer.header("x-interim"), answer.read(100)) == (200, "", b"first")
    assert read(transport.send("GET", "/b")) == b"/b"
    assert script.connections == 1


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(HINTS * (MAX_INTERIM + 2) + FIRST, id="too many"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + FIRST, id="another protocol"),
    ],
)
def test_what_never_becomes_an_answer_is_none(scripts: list[Script], sent: bytes, method: str) -> None:
    """No status below 200 comes out, and the next answer is the next one's own."""
    script, transport = scripted(scripts, sent, sent)
    with pytest.raises(UpstreamUnavailable):
        transport.send(method, "/a", body=b"{}" if method == "PUT" else None)
    script.script.clear()
    assert read(transport.send("GET", "/b")) == b"/b"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", id="204 that announces a body"),
        pytest.param(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", id="204 in chunks"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", id="304 that announces a body"),
    ],
)
def test_answer_that_announces_a_body_and_has_none_costs_its_connection(
    scripts: list[Script], sent: bytes, method: str
) -> None:
    """What comes next could be its body or the next answer, and it may come late. Reads and writes alike."""
    script, transport = scripted(scripts, sent)
    with transport.send(method, "/a", body=b"{}" if method in ("PUT", "POST") else None) as answer:
        assert answer.read(100) == b""
    assert read(transport.send("GET", "/b")) == b"/b"
    assert script.connections == 2


def test_answer_without_a_body_keeps_its_connection(scripts: list[Script]) -> None:
    """When it says so."""
    bare = b"HTTP/1.1 304 Not Modified\r\n\r\n", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
    script, transport = scripted(scripts, *bare)
    for _ in bare:
        assert read(transport.send("GET", "/a")) == b""
    assert read(transport.send("GET", "/b")) == b"/b"
    assert script.connections == 1


@pytest.mark.parametrize(
    "excess",
    [b"x", FIRST, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", b"x" * 200_000],
    ids=["a byte", "another answer", "an answer of another", "much"],
)
@pytest.mark.parametrize(
    "answer",
    [FIRST, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"],
    ids=["counted", "chunked"],
)
def test_bytes_behind_an_answer_cost_its_connection(scripts: list[Script], answer: bytes, excess: bytes) -> None:
    """The other side counts otherwise than we do: nothing more is read there."""
    script, transport = scripted(scripts, answer + excess)
    assert read(transport.send("GET", "/a")) == b"first"
    assert read(transport.send("GET", "/b")) == b"/b"
    assert script.connections == 2


def test_answer_that_is_not_trusted_costs_its_connection(scripts: list[Script]) -> None:
    """Also one that was read to its end: an error in the block that reads it, or `drop`."""
    script, transport = scripted(scripts)
    with suppress(LookupError), transport.send("GET", "/a") as answer:
        assert answer.read(100) == b"/a"
        raise LookupError
    answer = transport.send("GET", "/b")
    assert answer.read(100) == b"/b"
    answer.drop()
    answer.close()
    answer.drop()
    assert read(transport.send("GET", "/c")) == b"/c"
    assert script.connections == 3


def test_answer_that_was_read_and_not_closed_keeps_its_connection_to_itself(scripts: list[Script]) -> None:
    """Who reads it may still not like it: until it is closed, nobody else is answered there."""
    script, transport = scripted(scripts)
    first = transport.send("GET", "/a")
    assert first.read(100) == b"/a"
    assert read(transport.send("GET", "/b")) == b"/b"
    first.close()
    assert script.connections == 2


def test_connection_behind_tls_is_kept_too(tls_upstream: tuple[RecordingUpstream, ssl.SSLContext]) -> None:
    """Looking for bytes behind an answer does not disturb an encrypted connection."""
    upstream, trusting = tls_upstream
    transport = Urllib3Transport(upstream.url.replace("http:", "https:"), ssl_context=trusting)
    for _ in range(3):
        read(transport.send("GET", "/x"))
    assert upstream.connections == 1
