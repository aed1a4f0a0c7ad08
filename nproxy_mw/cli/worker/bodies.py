"""Where gunicorn's parser reads a request from: the head, then a body in memory, in a file, or from the client."""

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

PIECE = 64 * 1024  # bytes that the poller reads from a client at once
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_READ_AHEAD = 1024 * 1024  # bytes that another thread reads from a client at once
_MOMENT = 0.001  # seconds; with no patience left, what has already arrived is still read


class SpooledBody:
    """A body that the poller stores: in memory up to *small* bytes, beyond that in a temporary file."""

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
            self._unpin()
        self._file.append(memoryview(data))

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """Returns the next *size* bytes; fewer only at the end."""
        wanted = PIECE if size is None else size
        if self._file is not None:
            return self._file.read(wanted)
        if self._joined is None:
            self._joined = io.BytesIO(b"".join(self._pieces))
        return self._joined.read(wanted)

    def close(self) -> None:
        """Gives back the room."""
        self._unpin()
        if self._file is not None:
            self._file.close()

    def _unpin(self) -> None:
        for piece in self._pieces:
            self.budget.unpin(piece)
        self._pieces.clear()


class DirectBody(SocketUnreader):
    """A body that a thread reads from the client, as long as the client keeps its pace. *held* has come already."""

    def __init__(
        self,
        sock: socket.socket,
        bounds: Bounds,
        *,
        held: bytes = b"",
        expects_continue: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sock)
        self.buf.write(held)
        self.bounds = bounds
        self.expects_continue = expects_continue
        self.monotonic = monotonic
        self.deadline = monotonic() + bounds.body_patience

    if TYPE_CHECKING:

        def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes: ...

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Returns the next piece.

        Raises:
            NoMoreData: patience is used up. gunicorn raises it for a client that disconnected.
        """
        if self.expects_continue:
            self.expects_continue = False
            self.sock.send(CONTINUE)
        self.sock.settimeout(max(self.deadline - self.monotonic(), _MOMENT))
        try:
            data = self.sock.recv(min(max(size_hint or 0, self.mxchunk), _READ_AHEAD))
        except TimeoutError as error:
            raise NoMoreData from error
        finally:
            self.sock.setblocking(False)
        now, patience, pace = self.monotonic(), self.bounds.body_patience, self.bounds.slowest
        self.deadline = extended(self.deadline, now, patience=patience, size=len(data), pace=pace)
        return data


class RequestReader:
    """What gunicorn's parser reads one request from: the head, then the body from *source*."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.source: SpooledBody | DirectBody | None = None

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """Returns the whole head first, then the body.

        Raises:
            NoMoreData: the parser looks for more of the head.
        """
        if self.head:
            head, self.head = self.head, b""
            return head
        if self.source is None:
            raise NoMoreData
        return self.source.read(size, read_ahead)

    def unread(self, data: bytes) -> None:
        """Takes back bytes behind a chunked body, which the parser reads with it."""
        if data and isinstance(self.source, DirectBody):
            self.source.unread(data)

    def close(self) -> bytes:
        """Releases the body. Returns the bytes behind it that a thread has read with it."""
        if isinstance(self.source, DirectBody):
            return self.source.take_buffered()
        if self.source is not None:
            self.source.close()
        return b""
