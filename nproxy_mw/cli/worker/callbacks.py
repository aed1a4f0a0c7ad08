"""Callbacks: what threads leave to the poller, which they wake once for many of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from gunicorn.workers.gthread import PollableMethodQueue

_ROOM = 4096  # bytes that are read at once; there is rarely more than one


class Callbacks(PollableMethodQueue):
    """gunicorn's queue, in which each callback costs a write to a pipe and a read from it, each of which lets go of the
    interpreter. Here a callback costs neither while the poller is about to look anyway.
    """

    _queue: SimpleQueue[Callable[[], object]]
    _read_fd: int
    _write_fd: int

    def __init__(self) -> None:
        super().__init__()
        self._is_woken = False

    def defer(self, callback: Callable[..., object], *values: object) -> None:
        """Lets the poller call *callback* with *values*; may be called by any thread, and in a signal's handler."""
        self._queue.put(partial(callback, *values))
        if not self._is_woken:
            self._is_woken = True
            with suppress(OSError):  # the worker has ended
                os.write(self._write_fd, b"\0")

    def run_callbacks(self, _: object, max_callbacks: int = 0) -> None:
        """Calls what waits; the poller does it when the pipe can be read."""
        with suppress(BlockingIOError):
            os.read(self._read_fd, _ROOM)
        # Who comes from now on wakes the poller again. Who came before is in the queue already.
        self._is_woken = False
        for _ in range(self._queue.qsize()):
            self._queue.get()()
