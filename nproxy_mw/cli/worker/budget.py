"""Budget: how many bytes a worker keeps for clients that are slow to send or to receive them."""

from __future__ import annotations

import errno
import os
from collections import Counter
from tempfile import TemporaryFile
from threading import Lock


class Budget:
    """Room in *memory* and on *disk*, in bytes, shared by all connections and all threads of a worker."""

    def __init__(self, memory: int, disk: int) -> None:
        self.memory = memory
        self.disk = disk
        self.memory_used = 0
        self.disk_used = 0
        self._pins: Counter[int] = Counter()  # id of a bytes object -> how many connections wait with it
        self._lock = Lock()

    @property
    def is_half_full(self) -> bool:
        """Whether slow clients take more than half of the room on disk."""
        return self.disk_used > self.disk // 2

    def pin(self, data: bytes) -> bool:
        """Takes memory for *data* and returns True, or returns False when there is not enough.

        The caller keeps *data* alive. An object that many connections wait with counts once.
        """
        with self._lock:
            if not self._pins[id(data)]:
                if self.memory_used + len(data) > self.memory:
                    return False
                self.memory_used += len(data)
            self._pins[id(data)] += 1
            return True

    def unpin(self, data: bytes) -> None:
        """Gives back the memory of one `pin`."""
        with self._lock:
            self._pins[id(data)] -= 1
            if not self._pins[id(data)]:
                del self._pins[id(data)]
                self.memory_used -= len(data)

    def take_disk(self, size: int) -> None:
        """Takes room on disk.

        Raises:
            OSError: there is not enough left; the error is that of a full disk.
        """
        with self._lock:
            if self.disk_used + size > self.disk:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.disk_used += size

    def give_disk(self, size: int) -> None:
        """Gives back room on disk."""
        with self._lock:
            self.disk_used -= size


class BudgetFile:
    """A temporary file without a name, appended to and read from the start. A budget pays for its size."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.size = 0
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`

    def append(self, data: memoryview) -> None:
        """Writes *data* at the end.

        Raises:
            OSError: the budget is used up, or the disk is full.
        """
        self.budget.take_disk(len(data))
        at, self.size = self.size, self.size + len(data)
        while data:
            written = os.pwrite(self._file.fileno(), data, at)
            data, at = data[written:], at + written

    def fileno(self) -> int:
        """Returns the descriptor."""
        return self._file.fileno()

    def read(self, size: int) -> bytes:
        """Returns the next *size* bytes; fewer only at the end."""
        return self._file.read(size)

    def close(self) -> None:
        """Removes the file and gives back its room. A second call does nothing."""
        if not self._file.closed:
            self._file.close()
            self.budget.give_disk(self.size)
