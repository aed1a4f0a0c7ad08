"""Budget: how many bytes a worker keeps for clients that are slow to send or to take them."""

from __future__ import annotations

import errno
import os
from collections import Counter
from tempfile import TemporaryFile
from threading import Lock


class Budget:
    """Room in *memory* and on *disk*, in bytes, shared by all connections of a worker and by its threads."""

    def __init__(self, memory: int, disk: int) -> None:
        self.memory = memory
        self.disk = disk
        self._pinned: Counter[int] = Counter()  # id of bytes -> how many connections wait with them
        self._in_memory = 0
        self._on_disk = 0
        self._lock = Lock()

    @property
    def is_half_full(self) -> bool:
        """Whether slow clients have taken half of the room on disk."""
        return self._on_disk > self.disk // 2

    def pin(self, data: bytes) -> bool:
        """Takes memory for *data*, which the caller keeps alive; an object that several wait with counts once.

        Returns whether there was room.
        """
        with self._lock:
            if not self._pinned[id(data)]:
                if self._in_memory + len(data) > self.memory:
                    return False
                self._in_memory += len(data)
            self._pinned[id(data)] += 1
            return True

    def unpin(self, data: bytes) -> None:
        """Gives the memory of one `pin` back."""
        with self._lock:
            self._pinned[id(data)] -= 1
            if not self._pinned[id(data)]:
                del self._pinned[id(data)]
                self._in_memory -= len(data)

    def take_disk(self, size: int) -> None:
        """Takes room on disk.

        Raises:
            OSError: there is none left, as a full disk would say it.
        """
        with self._lock:
            if self._on_disk + size > self.disk:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._on_disk += size

    def give_disk(self, size: int) -> None:
        """Gives room on disk back."""
        with self._lock:
            self._on_disk -= size


class BudgetFile:
    """A temporary file without a name, written at its end and read from its beginning, whose size a budget pays."""

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
        self.size += len(data)
        at = self.size - len(data)
        while data:
            written = os.pwrite(self._file.fileno(), data, at)
            data, at = data[written:], at + written

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def read(self, size: int) -> bytes:
        """The next *size* bytes, fewer only at the end."""
        return self._file.read(size)

    def close(self) -> None:
        """Removes the file and gives its room back. Does nothing the second time."""
        if not self._file.closed:
            self._file.close()
            self.budget.give_disk(self.size)
