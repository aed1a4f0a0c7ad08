"""Work that a process does now and then, in a thread of its own."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable


class Periodic:
    """Calls *run* every *interval* seconds, and once more when the process ends.

    The thread begins with the first `ensure`, in each process anew: threads do not survive a fork, and a server that
    forks its workers has no use for one in the parent. If *interval* is None, no thread is started; the owner of the
    work calls *run*. *run* raises nothing.
    """

    def __init__(self, run: Callable[[], object], interval: float | None, *, name: str) -> None:
        self.run = run
        self.interval = interval
        self.name = name
        self._guard = threading.Lock()
        self._owner = 0

    def ensure(self) -> bool:
        """Sees to it that the thread runs in this process. Whether it was begun just now."""
        if self._owner == os.getpid():
            return False
        with self._guard:
            if self._owner == os.getpid():
                return False
            self._owner = os.getpid()
        if self.interval is not None:
            threading.Thread(target=self._loop, args=(self.interval,), name=self.name, daemon=True).start()
            atexit.register(self.run)
        return True

    def _loop(self, interval: float) -> None:
        pause = threading.Event()
        while not pause.wait(interval):
            self.run()
