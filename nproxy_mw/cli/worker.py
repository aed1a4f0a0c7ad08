"""gunicorn's worker with threads, made so that no client can keep a thread by being slow.

gunicorn itself waits for ever for the rest of a request, and for a client that does not read its answer: as many such
clients as there are threads stop it. Here a connection costs a thread from its first byte on, and as long as it goes
on; one that does not is closed, or answered 400 when its body was being read.
"""

from __future__ import annotations

import errno
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import TYPE_CHECKING, Any

import orjson
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PATIENCE = 20.0
"""Seconds of silence between two pieces of a request, or of its answer. Longer than any pause of a network that still
works, and short enough that a registry whose threads are all held is back before npm has given up (five minutes)."""

SLOWEST = 1024
"""Bytes a second below which a request counts as silence after all: 50 MB at this pace take half a day."""

PIECE = 64 * 1024
"""Bytes sent at a time, so that patience is with each piece and not with the whole of a large answer."""

_READ_AHEAD = 1024 * 1024  # bytes of a body taken at once
_MOMENT = 0.001  # seconds; no patience left: what is there already is still taken
_WASTE = 1024 * 1024  # bytes thrown away before a connection is closed


class PatientUnreader(SocketUnreader):
    """Reads what a client sends, until *patience*, in seconds, is used up.

    *Strategy:* waiting uses patience up, and each byte gives a little of it back. So one bound holds for a silent
    client, for one that sends a byte now and then, and for the whole of the headers.
    """

    def __init__(
        self, sock: socket.socket, patience: float = PATIENCE, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(sock)
        self.patience = self.left = patience
        self.monotonic = monotonic

    def renew(self) -> None:
        """Has all its patience again: a new request begins."""
        self.left = self.patience

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece. Raises `errors.NoMoreData`, as for a client that went away, when patience is used up."""
        size = min(max(size_hint or 0, self.mxchunk), _READ_AHEAD)
        before, begun = self.sock.gettimeout(), self.monotonic()
        left = max(self.left, _MOMENT)
        self.sock.settimeout(left if before is None else min(left, before))
        try:
            data = self.sock.recv(size)
        except TimeoutError as error:
            raise errors.NoMoreData from error
        finally:
            self.sock.settimeout(before)
        waited = self.monotonic() - begun
        self.left = min(self.patience, max(self.left - waited, 0.0) + len(data) / SLOWEST)
        return data


class PatientSocket(socket.socket):
    """A client's connection, whose timeout is for each piece that is sent."""

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Sends *data*. Raises `TimeoutError` when the client takes none of it for too long."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            super().sendall(view[start : start + PIECE], flags)


class Connection(TConn):
    """A connection that waits for its client as long as *patience* lasts, in seconds."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, patience: float) -> None:
        own = PatientSocket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        super().__init__(cfg, own, client, server)
        self.patience = patience

    def init(self) -> None:
        """Makes ready for a request; called before each one, when gunicorn has made the socket wait for ever."""
        super().init()
        self.sock.settimeout(self.patience)
        parser: Any = self.parser
        if isinstance(parser.unreader, PatientUnreader):
            parser.unreader.renew()
        else:
            parser.unreader = PatientUnreader(self.sock, self.patience)

    def close(self, graceful: bool = False) -> None:
        """Ends the connection now.

        gunicorn would wait for the client to end it too, up to two seconds in the only thread that accepts connections.
        What the client sent and nobody read is thrown away first, or the system would take the answer back.
        """
        if graceful:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
                self.sock.setblocking(False)
                for _ in range(_WASTE // PIECE):
                    if not self.sock.recv(PIECE):
                        break
        super().close()


class Worker(ThreadWorker):
    """Serves the registry."""

    patience = PATIENCE

    def accept(self, listener: socket.socket) -> None:
        """Takes a connection; a thread looks at it once its client has said something."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                return
            raise
        self.nr_conns += 1
        connection = Connection(self.cfg, sock, client, listener.getsockname(), self.patience)
        connection.set_timeout()
        self.pending_conns.append(connection)
        self.poller.register(connection.sock, EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Answers one request. Raises `errors.NoMoreData` when the client does not take the answer."""
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            raise errors.NoMoreData from error

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answers what is not HTTP, before it could reach the registry, in the registry's own form."""
        status, code, sentence = answer_to(exc)
        request_id = uuid.uuid4().hex
        if status.startswith("500"):
            self.log.exception("request %s failed in the server", request_id)
        else:
            self.log.warning("what %s sent was answered %s", addr[0] if addr else "a client", status)
        body = orjson.dumps({"error": sentence, "code": code, "requestId": request_id})
        head = (
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        with suppress(OSError):
            client.sendall(f"{head}\r\n\r\n".encode() + body)


def answer_to(error: BaseException) -> tuple[str, str, str]:
    """The status, the code and the sentence for what the server could not read, or could not do."""
    for kind, answer in _ANSWERS.items():
        if isinstance(error, kind):
            return answer
    return _BUG


_BUG = ("500 Internal Server Error", "internal-error", "Something went wrong in the server; its log says what.")
_OUR_FAULT: list[type[BaseException]] = [
    getattr(errors, name) for name in ("InvalidResponseHeader", "InvalidResponseHeaderName", "ConfigurationProblem")
]
_ANSWERS: dict[type[BaseException], tuple[str, str, str]] = {
    **dict.fromkeys(_OUR_FAULT, _BUG),  # first: some are subclasses of what clients do wrong
    errors.LimitRequestLine: ("414 URI Too Long", "uri-too-long", "The path of the request is too long."),
    errors.LimitRequestHeaders: (
        "431 Request Header Fields Too Large",
        "headers-too-large",
        "The headers of the request are too many, or too large.",
    ),
    errors.ExpectationFailed: (
        "417 Expectation Failed",
        "expectation-failed",
        "The only thing that a request may expect of this server is '100-continue'.",
    ),
    errors.UnsupportedTransferCoding: (
        "501 Not Implemented",
        "unsupported-transfer-encoding",
        "The only Transfer-Encoding that this server understands is 'chunked'.",
    ),
    errors.ParseException: ("400 Bad Request", "malformed-request", "That is not a request as HTTP defines it."),
}
