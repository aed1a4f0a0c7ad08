"""What is sent over a wire: servers that say what they are told, and answers read whole."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

from nproxy_mw.upstream.responses import UpstreamResponse

MIB = 2**20


def read(answer: UpstreamResponse, limit: int = MIB) -> bytes:
    with answer:
        return answer.read(limit)


class raw_server:  # noqa: N801
    """Says the same bytes to whoever connects, then hangs up unless it is to *keep* the connection."""

    def __init__(self, sent: bytes, *, keep: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.sent, self.keep, self.tls = sent, keep, tls

    def __enter__(self) -> str:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection, suppress(OSError):
                self.exchange(self.tls.wrap_socket(connection, server_side=True) if self.tls else connection)

    def exchange(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(self.sent)
            if self.keep:
                self.done.wait(60)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


class sink_and_source(raw_server):  # noqa: N801
    """Reads an upload of a size and forgets it, and makes a download of that size, in small pieces."""

    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.size = size

    def exchange(self, connection: socket.socket) -> None:
        buffer = bytearray(65536)
        size = connection.recv_into(buffer)
        head, _, rest = bytes(buffer[:size]).partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % self.size)
            for _ in range(self.size // len(buffer)):
                connection.sendall(buffer)
            return
        taken = len(rest)
        while taken < self.size:
            taken += connection.recv_into(buffer)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
