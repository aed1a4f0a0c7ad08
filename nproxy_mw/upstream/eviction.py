"""Keeping a cache within its bound: what was used longest ago goes first.

The cache's files are its own index: their sizes and the times at which they were last read, which the operating system
keeps (relatime), or else last written. Nothing is written at a request. Every process may clean up at any time; what is
removed under a reader stays open for it, and a request that comes next fetches it again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from nproxy_mw.upstream.growing import HostLock

DEFAULT_BOUND = 20 * 2**30
"""Bytes that a cache may have on the disk, unless the operator says otherwise."""

LOW = 0.9  # of the bound: what is left after a clean-up
INTERVAL = 60.0  # seconds between two clean-ups of a process
ABANDONED = 3600.0  # seconds after which a file in the spool folder has no writer any more

_log = logging.getLogger(__name__)


class _File(NamedTuple):
    used: float
    size: int
    path: str


class Eviction:
    """Keeps the files below *root* within *bound* bytes. *spool* is its folder for what is under way.

    *now* returns Unix time and *monotonic* a time that never goes back, both in seconds.
    """

    def __init__(
        self,
        root: Path,
        spool: Path,
        *,
        bound: int = DEFAULT_BOUND,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        self.spool = spool
        self.bound = bound
        self.now = now
        self.monotonic = monotonic
        self.size = 0
        """Bytes that the last clean-up left."""
        self._guard = threading.Lock()
        self._next = 0.0

    def soon(self) -> None:
        """Cleans up in a thread of its own, unless that was done a moment ago."""
        with self._guard:
            if self.monotonic() < self._next:
                return
            self._next = self.monotonic() + INTERVAL
        threading.Thread(target=self.run, name="eviction", daemon=True).start()

    def run(self) -> int:
        """Removes what is over the bound, unless another process is at it. Returns the bytes that were removed."""
        try:
            lock = HostLock.take(self.spool / "locks" / "eviction")
            if lock is None:
                return 0
            try:
                self._sweep_spool()
                return self._evict()
            finally:
                lock.release()
        except OSError as error:
            _log.warning("the cache was not cleaned up: %s", error)
            return 0

    def _evict(self) -> int:
        files = sorted(_files(self.root))
        self.size = sum(file.size for file in files)
        goal, removed = self.bound * LOW, 0
        if self.size <= self.bound:
            return 0
        for file in files:
            if self.size - removed <= goal:
                break
            Path(file.path).unlink(missing_ok=True)
            removed += file.size
        self.size -= removed
        return removed

    def _sweep_spool(self) -> None:
        for file in list(_files(self.spool)):
            if self.now() - file.used > ABANDONED and "locks" not in Path(file.path).parts[-2:-1]:
                Path(file.path).unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[_File]:
    """Yields the files below *folder*; those whose folder's name begins with a dot only when it is *folder* itself."""
    pending = [str(folder)]
    while pending:
        try:
            entries = os.scandir(pending.pop())
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        pending.append(entry.path)
                else:
                    state = entry.stat(follow_symlinks=False)
                    yield _File(max(state.st_atime, state.st_mtime), state.st_blocks * 512, entry.path)
