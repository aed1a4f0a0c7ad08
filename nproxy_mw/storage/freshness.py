"""A storage that is not asked again about what it has just confirmed, where every question costs a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO

from msgspec import Struct, field

from nproxy_mw.lru import Lru
from nproxy_mw.storage.generations import Generations
from nproxy_mw.storage.listing import list_names, list_with_revisions, list_with_times
from nproxy_mw.storage.port import Revision, Storage, Stored
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.series import Series, in_series, stage

_CAPACITY = 16_384  # keys


class _Question(Struct, frozen=True):
    """When a storage was asked for an object, by the monotonic clock; how many *writes* of ours had ended by then; and
    the *generation* of the object, which other processes of the host change with it.
    """

    asked: float
    writes: int
    generation: bytes


class _Confirmation(Struct, frozen=True):
    """That an object was at *revision* when the *question* was asked."""

    revision: Revision
    question: _Question


class _Confirmations(Struct):
    """What a storage has confirmed, and how many writes have ended."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    kept: Lru[str, _Confirmation] = field(default_factory=lambda: Lru(max_items=_CAPACITY))
    writes: int = 0


class FreshnessCache:
    """*storage*, whose ``read_if_changed`` answers from memory what was confirmed *seconds* ago or less.

    A change by another process is seen at most *seconds* late, and only there: `read` always asks, and so does
    everything on `strict` of this storage. What is written through this object is seen through it at once; and what
    other processes of the host write, if they share *generations*.
    """

    def __init__(
        self,
        storage: Storage,
        seconds: float,
        *,
        generations: Generations | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self.seconds = seconds
        self.generations = generations
        self._monotonic = monotonic
        self._confirmed = _Confirmations()

    def __repr__(self) -> str:
        return f"FreshnessCache({self.storage!r}, {self.seconds!r})"

    def read(self, key: str) -> Stored:
        question = self._question(key)
        stored = self.storage.read(key)
        self._confirm(key, stored.revision, question)
        return stored

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        question = self._question(key)
        if self._is_confirmed(key, revision, question):
            return None
        if self.generations is not None:
            self.generations.reopen()
        stored = self.storage.read_if_changed(key, revision)
        self._confirm(key, stored.revision if stored else revision, question)
        return stored

    def open(self, key: str) -> BinaryIO:
        return self.storage.open(key)

    def create(self, key: str, data: bytes) -> Revision:
        with self._writing(key):
            return self.storage.create(key, data)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        with self._writing(key):
            return self.storage.replace(key, data, revision)

    def stage(self, key: str, data: bytes) -> None:
        with self._writing(key):
            stage(self.storage, key, data)

    def series(self) -> Series:
        inner = in_series(self.storage)
        return Series(self._over(inner.storage, self.seconds), inner.order)

    def delete(self, key: str) -> None:
        with self._writing(key):
            self.storage.delete(key)

    def list(self, prefix: str = "") -> Iterator[str]:
        return self.storage.list(prefix)

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision | None]]:
        return list_with_revisions(self.storage, prefix)

    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime | None]]:
        return list_with_times(self.storage, prefix)

    def list_names(self, prefix: str = "") -> Sequence[str] | None:
        return list_names(self.storage, prefix)

    def strict(self) -> FreshnessCache:
        """Returns the same storage, asked each time. What it confirms counts for this one too."""
        return self._over(self.storage, 0.0)

    def _over(self, storage: Storage, seconds: float) -> FreshnessCache:
        """Returns another one that shares what was confirmed."""
        other = FreshnessCache(storage, seconds, generations=self.generations, monotonic=self._monotonic)
        other._confirmed = self._confirmed
        return other

    def _question(self, key: str) -> _Question:
        generation = b"" if self.generations is None else self.generations.of(key)
        return _Question(self._monotonic(), self._confirmed.writes, generation)

    def confirms(self, key: str, revision: Revision) -> bool:
        """Whether *key* was at *revision* so lately that nobody needs to be asked. Raises nothing."""
        return self._is_confirmed(key, revision, self._question(key))

    def _is_confirmed(self, key: str, revision: Revision, now: _Question) -> bool:
        last = self._confirmed.kept.get(key)
        if last is None or last.revision != revision:
            return False
        return now.asked - last.question.asked < self.seconds and now.generation == last.question.generation

    def _confirm(self, key: str, revision: Revision, question: _Question) -> None:
        """Notes an answer, unless a write of ours has ended since the question: the answer may be older than that."""
        with self._confirmed.guard:
            last = self._confirmed.kept.get(key)
            if question.writes == self._confirmed.writes and (last is None or question.asked >= last.question.asked):
                self._confirmed.kept.put(key, _Confirmation(revision, question))

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        """Forgets *key* after a write, whatever became of it, and lets the other processes of the host forget it."""
        try:
            yield
        finally:
            if self.generations is not None:
                self.generations.changed(key)
            with self._confirmed.guard:
                self._confirmed.writes += 1
                self._confirmed.kept.discard(key)


def strict(storage: Storage) -> Storage:
    """Returns *storage* without any freshness: every question is asked of the back end."""
    if isinstance(storage, Prefixed):
        return Prefixed(strict(storage.storage), storage.prefix)
    return storage.strict() if isinstance(storage, FreshnessCache) else storage
