"""Keeping a cache within its bound: what was used longest ago goes first.

The cache's files are their own index: their sizes, and when they were last written or read. All processes of the host
add what they write to one number in a file; the one that takes it over the bound looks at all files, removes the oldest
and writes down what is left. What is removed under a reader stays open for it, and a request that comes next fetches it
again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nproxy_mw.upstream.cache_units import BLOCK, Unit, files_in, spools_in, units_in
from nproxy_mw.upstream.growing import HostLock, has_writer, planned_size

DEFAULT_BOUND = 20 * 2**30
"""Bytes that a cache may have on the disk, unless the operator says otherwise."""

HIGH, LOW = 0.97, 0.9  # of the bound: when a clean-up begins, and what it leaves
STEPS = 256  # parts of the bound: what a process writes before it adds it to the number
ROUNDS = 10  # of a clean-up while others add
REST = 60.0  # seconds for which a process gives up after a clean-up that was not enough
ABANDONED = 3600.0  # seconds after which what is said of a file under way is of no use any more

_log = logging.getLogger(__name__)


class Tally:
    """The size of a cache in bytes, as all processes of the host count it, in the file at *path*.

    A number that is not there counts as too large: somebody has to look.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, size: int) -> float:
        """Adds *size*, and returns the sum. Raises `OSError`."""
        with self._locked() as descriptor:
            text = os.pread(descriptor, 32, 0)
            if not text.isdigit():
                return float("inf")
            return self._write(descriptor, int(text) + size)

    def correct(self, size: int, since: int | None) -> None:
        """Puts *size*, which was counted while the sum was *since* or more, in its place. Raises `OSError`."""
        with self._locked() as descriptor:
            text = os.pread(descriptor, 32, 0)
            added = int(text) - since if text.isdigit() and since is not None else 0
            self._write(descriptor, size + max(added, 0))

    def read(self) -> int | None:
        """Returns the sum; None when it is not known."""
        try:
            text = self.path.read_bytes()
        except OSError:
            return None
        return int(text) if text.isdigit() else None

    def written(self) -> float | None:
        """Returns when the sum was written down last, in seconds of Unix time; None when it never was."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, size: int) -> int:
        os.pwrite(descriptor, b"%020d" % size, 0)  # the same length each time: never half of two numbers
        return size


class Eviction:
    """Keeps the cache in the folder *root* within *bound* bytes.

    *now* returns Unix time and *monotonic* a time that never goes back, both in seconds.
    """

    def __init__(
        self,
        root: Path,
        *,
        bound: int = DEFAULT_BOUND,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.root = root
        self.bound = bound
        self.now = now
        self.monotonic = monotonic
        self.tally = Tally(root / ".eviction" / "size")
        self._guard = threading.Lock()
        self._uncounted: int | None = None  # None: nothing was counted by this process yet
        self._worker: threading.Thread | None = None
        self._rests_until = 0.0

    def grew(self, size: int) -> None:
        """Notes that a file of *size* bytes was added.

        Near the bound, a thread of its own cleans up; over the bound, the caller does.
        """
        size += -size % BLOCK
        with self._guard:
            if self._uncounted is not None and self._uncounted + size < self.bound // STEPS:
                self._uncounted += size
                return
            size, self._uncounted = size + (self._uncounted or 0), 0
        try:
            total = self.tally.add(size)
        except OSError as error:
            _log.warning("the size of the cache cannot be written down: %s", error)
            return
        if self.bound < total < float("inf"):
            self.run(waits=True)
        elif total > self.bound * HIGH:
            self._run_soon()

    def _run_soon(self) -> None:
        with self._guard:
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self.run, name="eviction", daemon=True)
                self._worker.start()

    def run(self, *, waits: bool = False) -> int:
        """Removes what is over the bound, and returns the bytes that were removed.

        While another process is at it, nothing is done; or, if *waits*, only what that one leaves to do.
        """
        if self.monotonic() < self._rests_until:
            return 0
        try:
            lock = HostLock.take(self.root / ".eviction" / "lock", waits=waits)
            if lock is None:
                return 0
            try:
                return 0 if waits and not self._is_near() else self._evict_all()
            finally:
                lock.release()
        except OSError as error:
            _log.warning("the cache was not cleaned up: %s", error)
            return 0

    def _is_near(self) -> bool:
        size = self.tally.read()
        return size is None or size > self.bound * HIGH

    def _evict_all(self) -> int:
        """Removes until the bound is kept, also what others added meanwhile."""
        removed = 0
        for _ in range(ROUNDS):
            more, left = self._evict()
            removed += more
            if left > self.bound * HIGH:
                _log.warning("the cache is over its bound of %d bytes, and nothing more can be removed", self.bound)
                self._rests_until = self.monotonic() + REST
            if left > self.bound * HIGH or not self._is_near():
                break
        return removed

    def _evict(self) -> tuple[int, int]:
        """Removes what is over the bound now; returns the bytes that were removed, and those that are left."""
        before = self.tally.read()
        units = units_in(self.root)
        size = sum(unit.size for unit in units) + sum(map(self._sweep, spools_in(self.root)))
        removed = 0
        if size > self.bound * HIGH:
            for unit in sorted(units, key=lambda unit: unit.used):
                if size - removed <= self.bound * LOW:
                    break
                removed += remove(unit)
            _log.info("removed %d bytes of the cache, which had %d", removed, size)
        self.tally.correct(size - removed, before)
        return removed, size - removed

    def _sweep(self, spool: Path) -> int:
        """Removes what killed processes left in *spool*, and returns the bytes of the rest, once it is whole."""
        left = 0
        for file in list(files_in(spool)):
            path = Path(file.path)
            is_under_way = path.parent == spool and not path.suffix
            is_left = not has_writer(path) if is_under_way else self.now() - file.used > ABANDONED
            if is_left and path.parent.name not in ("locks", "flights"):
                path.unlink(missing_ok=True)
            else:
                left += max(file.size, planned_size(path) if is_under_way else 0)
        return left


def remove(unit: Unit) -> int:
    """Removes the files of *unit* and the folders that are empty then; returns its size."""
    for file in unit.files:
        Path(file.path).unlink(missing_ok=True)
    for folder in {Path(file.path).parent for file in unit.files}:
        with suppress(OSError):  # it holds more
            folder.rmdir()
    return unit.size
