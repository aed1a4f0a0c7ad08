"""A storage that is not asked again about what it has just confirmed, where every question costs a request."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from nproxy_mw.storage.port import Revision, Storage, Stored

_CAPACITY = 16_384  # keys


class FreshnessCache:
    """*storage*, whose ``read_if_changed`` answers "unchanged" without asking when that was true *seconds* ago or less.

    So a change by another process is seen at most *seconds* late, and only there: `read` always asks. What is written
    through this object is seen through it at once.
    """

    def __init__(self, storage: Storage, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.storage = storage
        self.seconds = seconds
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._writes = 0  # that came to an end
        self._confirmed: OrderedDict[str, tuple[Revision, float]] = OrderedDict()  # and when it was asked

    def __repr__(self) -> str:
        return f"Fresh({self.storage!r}, {self.seconds!r})"

    def read(self, key: str) -> Stored:
        asked, writes = self._monotonic(), self._writes
        stored = self.storage.read(key)
        self.confirm(key, stored.revision, asked, writes)
        return stored

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        asked, writes = self._monotonic(), self._writes
        if self.is_fresh(key, revision, asked):
            return None
        stored = self.storage.read_if_changed(key, revision)
        self.confirm(key, stored.revision if stored else revision, asked, writes)
        return stored

    def open(self, key: str) -> BinaryIO:
        return self.storage.open(key)

    def create(self, key: str, data: bytes) -> Revision:
        with self.writing(key):
            return self.storage.create(key, data)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        with self.writing(key):
            return self.storage.replace(key, data, revision)

    def delete(self, key: str, revision: Revision | None = None) -> None:
        with self.writing(key):
            self.storage.delete(key, revision)

    def list(self, prefix: str = "") -> Iterator[str]:
        return self.storage.list(prefix)

    def is_fresh(self, key: str, revision: Revision, now: float) -> bool:
        """Whether *key* was at *revision* a short while ago."""
        with self._guard:
            confirmed, asked = self._confirmed.get(key, (None, 0.0))
        return confirmed == revision and now - asked < self.seconds

    def confirm(self, key: str, revision: Revision, asked: float, writes: int) -> None:
        """Notes an answer, unless a write of ours has come to an end since the question: it may be older than that."""
        with self._guard:
            if writes == self._writes and asked >= self._confirmed.get(key, ("", asked))[1]:
                self._confirmed[key] = (revision, asked)
                self._confirmed.move_to_end(key)
            if len(self._confirmed) > _CAPACITY:
                self._confirmed.popitem(last=False)

    @contextmanager
    def writing(self, key: str) -> Iterator[None]:
        """Forgets *key* after a write, whatever became of it."""
        try:
            yield
        finally:
            with self._guard:
                self._writes += 1
                self._confirmed.pop(key, None)
