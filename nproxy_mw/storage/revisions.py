"""Decoded objects, remembered by revision: a hot read parses nothing, and still never answers from memory alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from nproxy_mw.errors import Missing
from nproxy_mw.storage.port import Revision, Storage, Stored

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A decoded object, the revision it was decoded from, and how many bytes it had."""

    value: T
    revision: Revision
    size: int


class RevisionCache(Generic[T]):
    """Reads objects of *storage* as *decode* understands them, and keeps the last used ones.

    Every `get` asks the storage whether the object is still at the remembered revision; how cheap that is, and how old
    the answer may be, is the storage's matter. At most *capacity* values are kept, whose encoded forms have at most
    *max_bytes* together. Values are shared between threads: they must not be changed.
    """

    def __init__(
        self,
        storage: Storage,
        decode: Callable[[bytes], T],
        *,
        capacity: int = 1024,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._storage = storage
        self._decode = decode
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._entries: OrderedDict[str, Entry[T]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> T:
        """The decoded object. Raises `Missing`, and whatever *decode* raises."""
        return self.get_with_revision(key)[0]

    def get_with_revision(self, key: str) -> tuple[T, Revision]:
        """The decoded object, and the revision to replace it by. Raises `Missing`, and whatever *decode* raises."""
        entry = self.recall(key)
        try:
            stored = self._storage.read_if_changed(key, entry.revision) if entry else self._storage.read(key)
        except Missing:
            self.forget(key)
            raise
        if stored is None:
            assert entry is not None  # noqa: S101 - only read_if_changed answers None
            return entry.value, entry.revision
        return self.remember(key, stored), stored.revision

    def forget(self, key: str) -> None:
        """Drops what is remembered of *key*."""
        with self._guard:
            self.drop(key)

    def recall(self, key: str) -> Entry[T] | None:
        """What is remembered of *key*, which is thereby the last used."""
        with self._guard:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def remember(self, key: str, stored: Stored) -> T:
        """Decodes and keeps an object, and drops the least used ones over the limits."""
        value = self._decode(stored.data)
        size = len(stored.data)
        with self._guard:
            self.drop(key)
            self._entries[key] = Entry(value, stored.revision, size)
            self._bytes += size
            while self._entries and (len(self._entries) > self._capacity or self._bytes > self._max_bytes):
                self.drop(next(iter(self._entries)))
        return value

    def drop(self, key: str) -> None:
        """Takes an entry out of the books; to be called under the guard."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size
