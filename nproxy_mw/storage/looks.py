"""Looks: is an object still at the revision that is known of it? Asked without anything around the question.

Each request looks several times, and the look itself, one `stat`, is a small part of what `Storage.read_if_changed`
costs. A look that answers no says nothing else: the storage is asked then, and says why.

A storage with a freshness lets a look rely on the one before it, as long as no process of this host has told of a
change, and for no longer than that. So what others write here is seen at once, and what was written by nobody who tells
within the freshness: by a restored backup, or by a process that was killed between its write and the telling.
"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic
from typing import BinaryIO
from weakref import ref

from nproxy_mw.grounds import Look
from nproxy_mw.storage.disk import revision_of
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.generations import SIZE, offset_of
from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.mapped_generations import MappedGenerations
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.prefixed import Prefixed


def look_at(storage: Storage, key: str, revision: Revision) -> Look | None:
    """Returns the look at *key* of *storage*, known at *revision*; None where the storage itself must be asked.

    Where each question costs a request, a look says whether the answer to the last one may still be relied on.
    """
    if isinstance(storage, Prefixed):
        return look_at(storage.storage, storage.outer(key), revision)
    if isinstance(storage, FreshnessCache):
        return ConfirmedLook(storage, key, revision) if storage.seconds else None
    if not isinstance(storage, LocalStorage) or type(storage).read_if_changed is not LocalStorage.read_if_changed:
        return None
    try:
        modified, inode, size = map(_FROM_HEX, revision.split("-"))
    except ValueError:  # a time before 1970
        return None
    look = FileLook(storage.path_of(key), modified, inode, size)
    return RecentLook(look, storage.generations, key, storage.freshness) if storage.freshness else look


def look_at_open(storage: Storage, key: str, file: BinaryIO | None) -> Look | None:
    """Returns the look at *key* of *storage*, whose *file* was opened; None where the storage itself must be asked."""
    try:
        return look_at(storage, key, revision_of(file.fileno())) if file is not None else None
    except (OSError, AttributeError):  # no file of the operating system
        return None


_FROM_HEX = partial(int, base=16)


class FileLook:
    """A look at the file at *path*, which had these when it was read."""

    __slots__ = ("inode", "modified", "path", "size")

    def __init__(self, path: str, modified: int, inode: int, size: int) -> None:
        self.path = path
        self.modified = modified  # nanoseconds
        self.inode = inode
        self.size = size

    def __call__(self) -> bool:
        try:
            status = os.stat(self.path)  # noqa: PTH116 - a Path takes longer than the look
        except OSError:
            return False
        return status.st_mtime_ns == self.modified and status.st_ino == self.inode and status.st_size == self.size


class ConfirmedLook:
    """Whether *storage* has confirmed *key* at *revision* so lately that it need not be asked."""

    __slots__ = ("_storage", "key", "revision")

    def __init__(self, storage: FreshnessCache, key: str, revision: Revision) -> None:
        self._storage = ref(storage)  # a look that is kept somewhere keeps no storage open
        self.key = key
        self.revision = revision

    def __call__(self) -> bool:
        storage = self._storage()
        return storage is not None and storage.confirms(self.key, self.revision)


class RecentLook:
    """*look*, believed for so many *seconds* while *generations* tell of no change of *key*."""

    __slots__ = ("_generations", "_noted", "_place", "_until", "look", "seconds")

    def __init__(self, look: Look, generations: MappedGenerations, key: str, seconds: float) -> None:
        self.look = look
        self._generations = ref(generations)  # a look that is kept somewhere keeps no file mapped
        self.seconds = seconds
        begin = offset_of(key)
        self._place = slice(begin, begin + SIZE)
        self._noted = b""
        self._until = 0.0

    def __call__(self) -> bool:
        now, generations = monotonic(), self._generations()
        if generations is None:  # of a storage that nobody uses any more
            return self.look()
        slots = generations.slots
        if now < self._until and slots is not None and slots[self._place] == self._noted:
            return True
        return self._looked(now, generations)

    def _looked(self, now: float, generations: MappedGenerations) -> bool:
        generations.refresh(now)
        slots = generations.slots
        noted = slots[self._place] if slots is not None else b""  # before the look: a change may come in between
        if not self.look():
            return False
        self._noted, self._until = noted, now + self.seconds
        return True
