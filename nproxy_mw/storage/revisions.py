"""Decoded objects, kept by revision: a hot read parses nothing, and still never answers from memory alone.

All caches of a process share one budget of memory, `MEMORY`, because memory belongs to the process and not to one of
the many organizations it serves. An entry is counted as what it holds when it is decoded, which is several times its
encoded size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from nproxy_mw.errors import Missing
from nproxy_mw.grounds import Look, rest_on
from nproxy_mw.lru import Lru
from nproxy_mw.storage.freshness import strict
from nproxy_mw.storage.looks import look_at
from nproxy_mw.storage.port import Revision, Storage, Stored

T = TypeVar("T")

MEMORY: Lru[tuple[object, str], Any] = Lru(max_items=65_536, max_weight=256 * 1024 * 1024)
"""What all caches of this process keep together: at most 256 MiB, as `held_bytes` estimates it."""

_ENTRY = 1_100  # bytes of an entry itself: the key, the tuple, the revision, the look and the place in the map


class CachedObject(Struct, Generic[T], frozen=True):
    """A decoded object, the revision it was decoded from, and the look whether it still has that; None for no look."""

    value: T
    revision: Revision
    look: Look | None


class RevisionCache(Generic[T]):
    """Reads objects of *storage* as *decode* understands them, and keeps the last used ones in *memory*.

    Every `get` asks the storage whether the object is still at the cached revision; how cheap that is, and how old the
    answer may be, depends on the storage. Values are shared between threads: they must not be changed.
    """

    def __init__(
        self,
        storage: Storage,
        decode: Callable[[bytes], T],
        *,
        memory: Lru[tuple[object, str], Any] = MEMORY,
    ) -> None:
        self._storage = storage
        self._strict = strict(storage)
        self._decode = decode
        self._memory = memory
        self._owner = object()  # tells the entries of this cache from those of others

    def __contains__(self, key: str) -> bool:
        """Whether a value of *key* is kept, however old."""
        return self._memory.get((self._owner, key)) is not None

    def get(self, key: str, *, current: bool = False) -> T:
        """Returns the decoded object alone: see `entry`."""
        return self.entry(key, current=current).value

    def entry(self, key: str, *, current: bool = False) -> CachedObject[T]:
        """Returns the decoded object, with the revision to replace it by.

        *current* asks for the object as it is this moment, even where the storage may answer from memory.

        Raises:
            Missing: there is no such object.
            StorageUnavailable: the object cannot be read, or whatever *decode* raises.
        """
        entry: CachedObject[T] | None = self._memory.get((self._owner, key))
        if entry is None or entry.look is None or current or not entry.look():
            entry = self._asked(key, entry, self._strict if current else self._storage)
        rest_on(entry.look)
        return entry

    def _asked(self, key: str, entry: CachedObject[T] | None, storage: Storage) -> CachedObject[T]:
        try:
            stored = storage.read_if_changed(key, entry.revision) if entry else storage.read(key)
        except Exception as error:
            rest_on(None)
            if isinstance(error, Missing):
                self._memory.discard((self._owner, key))
            raise
        if stored is None:
            assert entry is not None  # noqa: S101 - only read_if_changed returns None
            return entry
        return self.put(key, self._decode(stored.data), stored)

    def kept(self, key: str) -> tuple[T, Revision] | None:
        """Returns what is kept of *key*, however old, and its revision. The storage is not asked."""
        entry: CachedObject[T] | None = self._memory.get((self._owner, key))
        return (entry.value, entry.revision) if entry else None

    def put(self, key: str, value: T, stored: Stored) -> CachedObject[T]:
        """Keeps *value*, which is what *stored* decodes to: what was just written needs no reading."""
        entry = CachedObject(value, stored.revision, look_at(self._storage, key, stored.revision))
        self._memory.put((self._owner, key), entry, _ENTRY + held_bytes(stored.data))
        return entry


def held_bytes(data: bytes) -> int:
    """Returns about how many bytes of memory the JSON document *data* takes when it is decoded, rather more than less.

    Counted by its marks, in C: an object takes about 200 bytes, an array 90, a string 60 in addition to its characters,
    and any other value 30. Python keeps a string in 1, 2 or 4 bytes per character, by its widest one.
    """
    objects, arrays, strings = data.count(b"{"), data.count(b"["), data.count(b'"') // 2
    others = data.count(b",") + data.count(b":")
    width = 1 if data.isascii() and b"\\u" not in data else 4
    return width * len(data) + 200 * objects + 90 * arrays + 60 * strings + 30 * others
