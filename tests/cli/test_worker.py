"""The server's worker: slow clients keep no thread, what is not HTTP is answered as JSON, and no client is believed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

import pytest
from gunicorn.http import errors
from support.registry import ACTOR

from nproxy_mw.cli.worker import PATIENCE, PatientSocket, PatientUnreader, answer_to
from nproxy_mw.orgs.organization import organization_at
from nproxy_mw.testing.documents import publish_document

THREADS = 2
_IMPATIENT = """
import sys
from nproxy_mw.cli import main
from nproxy_mw.cli.worker import Worker
Worker.patience = 0.3
sys.exit(main(sys.argv[1:]))
"""


class Impatient:
    """A server of one worker and two threads, whose patience is short."""

    def __init__(self, folder):
        self.storage, self.log = str(folder / "store"), folder / "log"
        command = [sys.executable, "-c", _IMPATIENT, "serve", "--storage", self.storage, "--scope", "@acme"]
        command += ["--bind", "127.0.0.1:0", "--upstream", "none", "--workers", "1", "--threads", str(THREADS)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ})
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", self.process.stdout.readline())
        assert match, self.log.read_text()
        self.address = ("127.0.0.1", int(match[1]))
        tokens = organization_at(self.storage).tokens
        self.token = tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]

    def connect(self, sent=b""):
        """A connection on which *sent* was written."""
        connection = socket.create_connection(self.address, timeout=30)
        connection.sendall(sent)
        return connection

    def answer(self, sent):
        """Everything that is answered to *sent* until the server ends the connection: status and JSON."""
        with self.connect(sent) as connection:
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body), head

    def ask(self, method, path, body=None, **headers):
        """A request as any client makes it; status and JSON."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        with closing(HTTPConnection(*self.address, timeout=30)) as connection:
            connection.request(method, path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def stop(self):
        with self.process:
            self.process.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Impatient(tmp_path_factory.mktemp("worker"))
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text()


def read_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def stalled(server, sent):
    """Twice as many connections as there are threads, each of which said *sent* and goes on with nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect(sent)) for _ in range(2 * THREADS)]


@pytest.mark.e2e
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /-/pi", id="half a line"),
        pytest.param(b"GET /-/ping HTTP/1.1\r\nHost: a\r\nX-Half", id="half a header"),
        pytest.param(b"PUT /@acme%2futils HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{", id="half a body"),
        pytest.param(b"GET /-/ping HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{", id="a body nobody reads"),
        pytest.param(
            b"PUT /@acme%2futils HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="half a chunk"
        ),
        pytest.param(b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\nGET /-/pi", id="half a second request"),
    ],
)
def test_stalled_clients_keep_no_thread(server, sent):
    """Others are answered, however many there are that say half of something."""
    with stalled(server, sent):
        assert server.ask("GET", "/-/ping") == (200, {})


@pytest.mark.e2e
def test_connection_that_stalls_after_an_answer_is_closed(server):
    """Patience holds for each request of a connection that is kept."""
    with server.connect(b"GET /-/ping HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /-/pi")
        assert read_all(connection) in (b"", b"{}")


@pytest.mark.e2e
def test_body_that_stalls_is_answered(server):
    """400 body-cut-short, as for a connection that breaks, and no bug is logged."""
    head = f"PUT /@acme%2futils HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.token}\r\nContent-Length: 1000"
    status, body, _ = server.answer(f"{head}\r\n\r\n{{".encode())
    assert (status, body["code"]) == (400, "body-cut-short")


@pytest.mark.e2e
def test_client_that_does_not_read_keeps_no_thread(server):
    """Whether the answer is a stored tarball or a document: it is given up."""
    wordy = {"description": "x" * 3_000_000}
    document = publish_document(
        "@acme/large", "1.0.0", files={"noise": os.urandom(12_000_000)}, manifest=wordy, package_json=wordy
    )
    assert server.ask("PUT", "/@acme%2flarge", document)[0] == 201
    asked = f"HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    for path in ("/@acme/large/-/large-1.0.0.tgz", "/@acme%2flarge"):
        with stalled(server, f"GET {path} {asked}".encode() * 8):
            assert server.ask("GET", "/-/ping") == (200, {})


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"NONSENSE\r\n\r\n", 400, id="no request"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400, id="header"),
        pytest.param(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, id="path"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, id="headers"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417, id="expectation"),
        pytest.param(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n", 501, id="encoding"),
    ],
)
def test_what_is_not_http_is_answered_as_json(server, sent, status):
    """In the form of every other error, without a word of what was sent."""
    answered, body, head = server.answer(sent)
    assert answered == status
    assert b"Content-Type: application/json" in head
    assert body.keys() == {"error", "code", "requestId"}
    assert body["error"].endswith(".")


@pytest.mark.e2e
@pytest.mark.parametrize("header", ["SCRIPT_NAME", "Script-Name", "PATH_INFO", "REMOTE_USER"])
def test_headers_do_not_lead_elsewhere(server, header):
    """A client on this machine is no proxy."""
    assert server.ask("GET", "/-/ping", **{header: "/-/whoami"}) == (200, {})


@pytest.mark.e2e
@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Host"])
def test_forwarded_headers_are_not_believed(server, header):
    """Nobody said --trusted-proxies, so links are those of the connection."""
    server.ask("PUT", "/@acme%2fsmall", publish_document("@acme/small", "1.0.0"))
    value = {"X-Forwarded-Proto": "https", "X-Forwarded-Protocol": "ssl", "X-Forwarded-Ssl": "on"}.get(header, "evil")
    _, packument = server.ask("GET", "/@acme%2fsmall", **{header: value})
    assert packument["versions"]["1.0.0"]["dist"]["tarball"].startswith("http://127.0.0.1:")


class Drip:
    """A client that sends *size* bytes after each *pause*, on a clock of its own; without end."""

    def __init__(self, size, pause):
        self.size, self.pause, self.now, self.timeout = size, pause, 0.0, None

    def monotonic(self):
        return self.now

    def gettimeout(self):
        return self.timeout

    def settimeout(self, timeout):
        self.timeout = timeout

    def recv(self, size):
        self.now += min(self.pause, self.timeout)
        if self.pause > self.timeout:
            raise TimeoutError
        return b"x" * min(self.size, size)


@pytest.mark.parametrize(("size", "pause"), [(65536, 19.0), (8192, 7.9), (1024, 0.9), (100_000, 0.0)])
def test_slow_and_steady_upload_passes(size, pause):
    """50 MB, at anything over a kilobyte a second."""
    drip = Drip(size, pause)
    unreader = PatientUnreader(drip, PATIENCE, drip.monotonic)
    taken = 0
    while taken < 50_000_000:
        taken += len(unreader.chunk(50_000_000))
    assert drip.timeout is None


@pytest.mark.parametrize(("size", "pause"), [(1, 19.0), (1, 0.1), (100, 1.0), (1024, 20.1)])
def test_trickle_comes_to_an_end(size, pause):
    """A byte now and then does not keep a thread: for headers and bodies alike."""
    drip = Drip(size, pause)
    unreader = PatientUnreader(drip, PATIENCE, drip.monotonic)
    with pytest.raises(errors.NoMoreData):
        deque(iter(unreader.chunk, b""), maxlen=0)
    assert drip.now < 1.2 * PATIENCE


def test_patience_is_renewed_with_each_request():
    """A connection that was slow once may ask again."""
    drip = Drip(1, 15.0)
    unreader = PatientUnreader(drip, PATIENCE, drip.monotonic)
    for _ in range(3):
        unreader.renew()
        assert unreader.chunk() == b"x"


def test_large_answer_is_sent_whole():
    """In pieces, each with the patience of one."""
    ours, theirs = socket.socketpair()
    data = os.urandom(300_000)
    with theirs, PatientSocket(fileno=ours.detach()) as sending:
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        sending.settimeout(30)
        sending.sendall(data)
        sending.shutdown(socket.SHUT_WR)
        assert read_all(theirs) == data


@pytest.mark.parametrize("error", [errors.ConfigurationProblem("x"), RuntimeError("x")])
def test_fault_of_the_server_is_told_without_details(error):
    """500, and nothing of the error itself."""
    status, code, sentence = answer_to(error)
    assert (status[:3], code) == ("500", "internal-error")
    assert "x" not in sentence.split()
