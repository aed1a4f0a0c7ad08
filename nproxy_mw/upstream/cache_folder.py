"""The storage of a cache in a local folder: it counts what it writes, and notes what is read.

Nothing is synced to the disk: what is kept can be fetched again, and what a power cut damages is found when it is read.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

from nproxy_mw.storage import LocalStorage
from nproxy_mw.storage.port import Revision
from nproxy_mw.upstream.eviction import Eviction

NOTED = 600.0
"""Seconds within which a second read of a file is not noted: file systems note one a day by themselves, or none."""


class CacheFolder(LocalStorage):
    """A folder that holds one file per object. *eviction* keeps it within its bound.

    A file that is to be adopted is counted by who writes it, before it is written.
    """

    def __init__(self, root: str | Path, eviction: Eviction, *, freshness: float = 0.0) -> None:
        super().__init__(root, durable=False, freshness=freshness)
        self.eviction = eviction

    def create(self, key: str, data: bytes) -> Revision:
        revision = super().create(key, data)
        self.eviction.grew(len(data))
        return revision

    def _opened(self, key: str) -> BinaryIO:
        file = super()._opened(key)
        status = os.fstat(file.fileno())
        if time.time() - status.st_atime > NOTED:
            # The time of the last write stays: it is the object's revision.
            os.utime(file.fileno(), ns=(time.time_ns(), status.st_mtime_ns))
        return file
