"""Where gunicorn's parser reads a request from: its head, and its body from memory, a file or the client."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader

from nproxy_mw.cli.worker.bounds import Bounds, extended
from nproxy_mw.cli.worker.budget import Budget, BudgetFile

PIECE = 64 * 1024  # bytes read from a client at once
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_AHEAD = 1024 * 1024  # the same, of a body that a thread reads
_MOMENT = 0.001  # seconds; no patience left: what is there already is still taken


class Stored:
    """A body on its way in: pieces in memory while they are few, a temporary file when they are more."""

    def __init__(self, budget: Budget, small: int) -> None:
        self.budget = budget
        self.small = small
        self.size = 0
        self._pieces: list[bytes] = []
        self._file: BudgetFile | None = None
        self._joined: io.BytesIO | None = None

    def write(self, data: bytes) -> None:
        """Adds a piece.

        Raises:
            OSError: there is no room for it.
        """
        self.size += len(data)
        if self._file is None and self.size <= self.small and self.budget.pin(data):
            self._pieces.append(data)
            return
        if self._file is None:
            self._file = BudgetFile(self.budget)
            for piece in self._pieces:
                self._file.append(memoryview(piece))
            self._forget()
        self._file.append(memoryview(data))

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """The next *size* bytes, fewer only at the end; gunicorn's parser asks for no more than the body has."""
        wanted = PIECE if size is None else size
        if self._file is not None:
            return self._file.read(wanted)
        if self._joined is None:
            self._joined = io.BytesIO(b"".join(self._pieces))
        return self._joined.read(wanted)

    def close(self) -> None:
        """Gives the room back."""
        self._forget()
        if self._file is not None:
            self._file.close()

    def _forget(self) -> None:
        for piece in self._pieces:
            self.budget.unpin(piece)
        self._pieces.clear()


class Direct(SocketUnreader):
    """A body that a thread reads from the client, of which *held* is there, until the client's patience is used up."""

    def __init__(
        self,
        sock: socket.socket,
        bounds: Bounds,
        *,
        held: bytes = b"",
        expects: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sock)
        self.buf.write(held)
        self.bounds = bounds
        self.expects = expects  # 100-continue, which is said when the application asks for the body
        self.monotonic = monotonic
        self.deadline = monotonic() + bounds.body_patience

    if TYPE_CHECKING:

        def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes: ...

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next piece. Raises `NoMoreData`, as for a client that went away, when patience is used up."""
        if self.expects:
            self.expects = False
            self.sock.send(CONTINUE)
        self.sock.settimeout(max(self.deadline - self.monotonic(), _MOMENT))
        try:
            data = self.sock.recv(min(max(size_hint or 0, self.mxchunk), _READ_AHEAD))
        except TimeoutError as error:
            raise NoMoreData from error
        finally:
            self.sock.setblocking(False)
        self.deadline = extended(
            self.deadline,
            self.monotonic(),
            patience=self.bounds.body_patience,
            size=len(data),
            pace=self.bounds.slowest,
        )
        return data


class Incoming:
    """What the parser reads one request from: the head, then the body from its *source*."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.source: Stored | Direct | None = None

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """The whole head first; after that, the body.

        Raises:
            NoMoreData: the parser finds that the head is not whole.
        """
        if self.head:
            head, self.head = self.head, b""
            return head
        if self.source is None:
            raise NoMoreData
        return self.source.read(size, read_ahead)

    def unread(self, data: bytes) -> None:
        """Takes back what the parser read too much of: the bytes behind a chunked body."""
        if data and isinstance(self.source, Direct):
            self.source.unread(data)

    def close(self) -> bytes:
        """Forgets the body. Returns the bytes behind it, which a thread read with it."""
        if isinstance(self.source, Direct):
            return self.source.take_buffered()
        if self.source is not None:
            self.source.close()
        return b""
