"""Bounds on how many requests wait for the upstream, so that threads are left for what needs no upstream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nproxy_mw.errors import Busy
from nproxy_mw.npm.documents import Blob

WAITING = 96
"""Requests of one process that may wait for the upstream at a time. One npm alone has 15."""

_FULL = "Too many requests are waiting for the upstream registry: try again."


class Room:
    """At most *places* requests are in it at a time; another one waits up to *patience* seconds for a place."""

    def __init__(self, places: int, *, patience: float = 0.0) -> None:
        self.patience = patience
        self._places = threading.BoundedSemaphore(places)

    def enter(self) -> None:
        """Takes a place.

        Raises:
            Busy: there was none in time.
        """
        if not self._places.acquire(timeout=self.patience):
            raise Busy(_FULL, retry_after=1, code="upstream-busy")

    def leave(self) -> None:
        """Gives a place back."""
        self._places.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds a place for a ``with`` block. Raises as `enter`."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def opened(self, open_blob: Callable[[], Blob]) -> Blob:
        """Opens a blob that holds a place until it is closed, or none if it is a file, for which nobody waits.

        Raises as `enter` and *open_blob*.
        """
        self.enter()
        try:
            blob = open_blob()
        except BaseException:
            self.leave()
            raise
        if blob.file is None:
            return blob.through(iter(blob), _both(blob.close, self.leave))
        self.leave()
        return blob


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    """Returns what calls both, the second one whatever becomes of the first."""

    def call() -> None:
        try:
            first()
        finally:
            second()

    return call
