"""A way to an S3 engine on which every write is cut off after its head, as by a client that is killed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit


class Relay(ThreadingTCPServer):
    """Passes on the head of each request to *engine*, and nothing else."""

    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__(("127.0.0.1", 0), Head)
        parts = urlsplit(engine)
        self.engine = (parts.hostname, parts.port)
        self.cut = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Head(StreamRequestHandler):
    """One connection to a `Relay`."""

    server: Relay

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        with socket.create_connection(self.server.engine) as engine:
            engine.sendall(head + b"\r\n")
            engine.shutdown(socket.SHUT_WR)
            while engine.recv(4096):  # until the engine has done with it, whatever it made of it
                pass
        self.server.cut += 1


@contextmanager
def cutting_relay(engine: str) -> Iterator[Relay]:
    """Runs one for a ``with`` block."""
    with Relay(engine) as relay:
        thread = Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()
