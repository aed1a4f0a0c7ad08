"""The real program, started with little patience, and clients that try it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

from nproxy_mw import organization_at
from support.publications import ACTOR

_PROGRAM = """
import resource
import sys
from nproxy_mw.copies import replace
from nproxy_mw.cli import gunicorn_conf, main
from nproxy_mw.cli.worker import Worker
Worker.bounds = replace(Worker.bounds, **{bounds})
gunicorn_conf.worker_connections = {connections}
gunicorn_conf.keepalive = {keep_alive}
if {files}:
    resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))
sys.exit(main(sys.argv[1:]))
"""

SHORT = {"head_seconds": 0.5, "body_patience": 0.5, "send_patience": 0.5, "linger_seconds": 0.3, "accept_pause": 0.1}
"""Bounds in seconds with which a test of what ends need not wait."""


class Impatient:
    """A server of one worker, with *bounds* in the place of its own."""

    def __init__(self, folder, *, threads=4, connections=500, keep_alive=30, files=0, **bounds):
        self.storage, self.log = str(folder / "store"), folder / "log"
        program = _PROGRAM.format(bounds=bounds, connections=connections, keep_alive=keep_alive, files=files)
        command = [sys.executable, "-c", program, "serve", "--storage", self.storage, "--scope", "@acme"]
        command += ["--bind", "127.0.0.1:0", "--upstream", "none", "--workers", "1", "--threads", str(threads)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "PYTHONDEVMODE": ""}
            )
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", self.process.stdout.readline())
        assert match, self.log.read_text()
        self.address = ("127.0.0.1", int(match[1]))
        tokens = organization_at(self.storage).tokens
        self.token = tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]

    def workers(self):
        """The processes that serve."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def connect(self, sent=b"", *, source="127.0.0.1", buffer=None):
        """A connection on which *sent* was written; *buffer* is the size of what the system takes of an answer."""
        connection = socket.socket()
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(60)
        connection.bind((source, 0))
        connection.connect(self.address)
        connection.sendall(sent)
        return connection

    @contextmanager
    def crowd(self, number, sent=b"", **how):
        """As many connections that wrote *sent*."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.connect(sent, **how)) for _ in range(number)]

    def head(self, method, path, *headers):
        """The head of a request that brings the token."""
        lines = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {self.token}", *headers]
        return "\r\n".join([*lines, "", ""]).encode()

    def ask(self, method, path, body=None, *, source="127.0.0.1", chunked=False, **headers):
        """A request as any client makes it; status and JSON."""
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        with closing(HTTPConnection(*self.address, timeout=60, source_address=(source, 0))) as connection:
            data = body and json.dumps(body).encode()
            connection.request(method, path, iter([data]) if chunked else data, headers, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def connections(self):
        """How many connections the worker has."""
        (worker,) = self.workers()
        sockets = 0
        for link in Path(f"/proc/{worker}/fd").iterdir():
            with suppress(FileNotFoundError):
                sockets += str(link.readlink()).startswith("socket:")
        return sockets - 1  # the one that listens

    def stop(self):
        with self.process:
            self.process.terminate()


@contextmanager
def impatient(folder, **how):
    """A server that must not have failed in any request when it ends."""
    server = Impatient(folder, **how)
    try:
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()


def read_all(connection):
    """Everything until the server ends the connection."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(connection, size):
    """The next *size* bytes."""
    pieces = []
    while size > 0:
        piece = connection.recv(min(size, 65536))
        assert piece, b"".join(pieces)[-100:]
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_answer(connection):
    """One answer with a Content-Length: status, lower-case head, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += read_exactly(connection, 1)
    head = data.decode().lower()
    length = re.search(r"content-length: (\d+)", head)
    return int(head.split()[1]), head, read_exactly(connection, int(length[1]) if length else 0)


def eventually(check):
    """Whether *check* comes true within a minute and more."""
    return any(check() or Event().wait(0.05) for _ in range(1500))


def is_open(connection):
    """Whether the server has not ended a connection, whatever it sent."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    return False


def is_ended(connection, keep_saying=b""):
    """Waits until the server ends a connection on which a client goes on to say something, each 50 ms."""
    connection.settimeout(0.05)
    for _ in range(600):
        try:
            if connection.recv(65536) == b"":
                return True
        except TimeoutError:
            if keep_saying:
                connection.send(keep_saying)
        except ConnectionError:
            return True
    return False
