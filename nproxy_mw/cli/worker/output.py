"""OutputBuffer: where gunicorn writes a response. What the client does not take at once waits for the poller."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import IO, Any

from nproxy_mw.cli.worker.budget import Budget, BudgetFile

UNSENT = 256 * 1024
"""Bytes of a response that the system may hold for a client, beyond what is on its way. Most packuments are larger."""


def limit_unsent(sock: socket.socket, size: int) -> None:
    """Limits the bytes that the system holds for a client to *size*. A connection inherits the limit of its listener.

    Without a limit, Linux holds up to 4 MB for each connection, in memory that counts for no process.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT") and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, size)


class InMemory:
    """Bytes that wait in memory."""

    def __init__(self, data: memoryview, whole: bytes, budget: Budget) -> None:
        self.data = data
        self.whole = whole
        self.budget = budget

    @property
    def left(self) -> int:
        """Bytes still to be sent."""
        return len(self.data)

    def send(self, stream: socket.socket, limit: int) -> int:
        """Sends at most *limit* bytes and returns how many. Raises `BlockingIOError` when the client takes none."""
        sent = stream.send(self.data[:limit])
        self.data = self.data[sent:]
        return sent

    def close(self) -> None:
        """Gives back the memory."""
        self.budget.unpin(self.whole)


class InFile:
    """Part of an open file that waits. *file* has ``fileno`` and ``close``."""

    def __init__(self, file: Any, start: int, end: int) -> None:
        self.file = file
        self.start = start
        self.end = end

    @property
    def left(self) -> int:
        """Bytes still to be sent."""
        return self.end - self.start

    def send(self, stream: socket.socket, limit: int) -> int:
        """Sends at most *limit* bytes and returns how many.

        Raises:
            BlockingIOError: the client takes none.
            OSError: the client is gone, or the file has become shorter.
        """
        sent = _send_file(stream, self.file.fileno(), self.start, min(limit, self.left))
        if not sent:
            raise OSError(errno.EPIPE, "The file is shorter than it was.")
        self.start += sent
        return sent

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


class OutputBuffer:
    """Takes the place of the client's socket in gunicorn's `Response`, and never blocks.

    What the client does not take at once waits in order, and `push` sends it: bytes in memory as far as the budget
    allows, then in a temporary file; the application's file as an open file.
    """

    def __init__(self, stream: socket.socket, budget: Budget) -> None:
        self.stream = stream
        self.budget = budget
        self.has_begun = False
        self.is_cut = False  # whether a response was given up
        self.is_polled = False  # whether the poller itself writes the response
        self.lingers = False  # whether the rest of a request may be long
        self._head = b""  # the first piece of a response, which is sent together with the second
        self._waiting: deque[InMemory | InFile] = deque()
        self._taken = 0  # bytes that waited and have been sent
        self._unsent = UNSENT

    @property
    def is_waiting(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Begins a new response."""
        self.has_begun = self.lingers = False

    def linger(self) -> None:
        """Makes the poller read more than a little of what the client still sends after the response."""
        self.lingers = True

    def sendall(self, data: Any) -> None:
        """Sends *data*, or lets it wait.

        Raises:
            OSError: the client is gone, or there is no room for what it does not take.
        """
        if not self.has_begun:
            self.has_begun = True
            self._head = bytes(data)
            return
        head, self._head = self._head, b""
        self._send(head, data)

    def flush(self) -> None:
        """Sends the first piece of a response when no second one follows. Raises as `sendall`."""
        if self._head:
            head, self._head = self._head, b""
            self._send(head, b"")

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Sends *count* bytes of *file* from *offset* on, or lets them wait. Raises as `sendall`."""
        self.flush()
        size = os.fstat(file.fileno()).st_size - offset if count is None else count
        part = InFile(file, offset, offset + size)
        if not self._waiting:
            _advance(part, self.stream, size)
        if part.left:
            part.file = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
            self._waiting.append(part)
        return size

    def push(self, limit: int) -> int:
        """Sends at most *limit* of the waiting bytes and returns how many. Raises `OSError` when the client is gone."""
        sent = 0
        while self._waiting and sent < limit:
            first = self._waiting[0]
            sent += _advance(first, self.stream, limit - sent)
            if first.left:
                break
            self._waiting.popleft().close()
        self._trust(sent)
        return sent

    def _trust(self, sent: int) -> None:
        """Lets the system hold as much as the client has taken so far, which serves fast clients faster."""
        self._taken += sent
        if self._taken > 2 * self._unsent:
            self._unsent = self._taken
            limit_unsent(self.stream, self._unsent)

    def clear(self) -> None:
        """Discards everything that waits."""
        self._head = b""
        while self._waiting:
            self._waiting.popleft().close()

    def _send(self, head: bytes, body: bytes) -> None:
        if self._waiting:
            self.push(sys.maxsize)
        sent = 0
        if not self._waiting:
            with suppress(BlockingIOError):
                sent = self.stream.sendmsg((head, body)) if head else self.stream.send(body)
        if sent < len(head):
            self._keep(head, sent)
        if sent < len(head) + len(body):
            self._keep(body, max(0, sent - len(head)))

    def _keep(self, data: bytes, start: int) -> None:
        rest = memoryview(data)[start:]
        last = self._waiting[-1] if self._waiting else None
        try:
            if isinstance(last, InFile) and isinstance(last.file, BudgetFile):
                last.file.append(rest)
                last.end = last.file.size
            elif self.budget.pin(data):
                self._waiting.append(InMemory(rest, data, self.budget))
            else:
                file = BudgetFile(self.budget)
                self._waiting.append(InFile(file, 0, len(rest)))
                file.append(rest)
        except OSError as error:
            self.is_cut = True
            raise BrokenPipeError(errno.EPIPE, "No room for what a slow client does not take.") from error

    # What else gunicorn does with a socket. Only the poller changes and closes the real one.

    def setblocking(self, flag: bool) -> None:
        """Does nothing."""

    def shutdown(self, how: int) -> None:
        """Raises `OSError`, upon which gunicorn leaves closing the connection to the poller."""
        raise OSError(errno.ENOTSUP, "The poller closes connections.")

    def close(self) -> None:
        """Does nothing."""


def _advance(part: InMemory | InFile, stream: socket.socket, limit: int) -> int:
    """Sends what the client takes of *part* now, at most *limit* bytes, and returns how many."""
    try:
        return part.send(stream, limit)
    except BlockingIOError:
        return 0


def _send_file(stream: socket.socket, file: int, start: int, size: int) -> int:
    try:
        return os.sendfile(stream.fileno(), file, start, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    return stream.send(os.pread(file, min(size, 64 * 1024), start))  # a file system without sendfile
