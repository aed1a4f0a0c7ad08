"""Looks: is an object still at the revision that is known of it? Asked of a file, without anything around the question.

Each request looks several times, and the look itself, one `stat`, is a small part of what `Storage.read_if_changed`
costs. A look that answers no says nothing else: the storage is asked then, and says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from nproxy_mw.storage.local import LocalStorage
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.prefixed import Prefixed

Look: TypeAlias = Callable[[], bool]
"""Returns True when the object is at its revision at this moment; False also for what cannot be told."""


def look_at(storage: Storage, key: str, revision: Revision) -> Look | None:
    """Returns the look at *key* of *storage*, known at *revision*; None where the storage itself must be asked."""
    if isinstance(storage, Prefixed):
        return look_at(storage.storage, storage.outer(key), revision)
    if not isinstance(storage, LocalStorage) or type(storage).read_if_changed is not LocalStorage.read_if_changed:
        return None
    try:
        modified, inode, size = (int(part, 16) for part in revision.split("-"))
    except ValueError:  # a time before 1970
        return None
    return FileLook(storage.path_of(key), modified, inode, size)


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
