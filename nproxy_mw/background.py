"""Work that a process does now and then, in a thread of its own, and once more when it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize

_begun: list[Periodic] = []
_finishes_in = 0  # the process that has been told to finish


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
        self.owner = 0
        """The process that the thread runs in."""
        self._guard = threading.Lock()

    def ensure(self) -> bool:
        """Sees to it that the thread runs in this process. Whether it was begun just now."""
        if self.owner == os.getpid():
            return False
        with self._guard:
            if self.owner == os.getpid():
                return False
            self.owner = os.getpid()
        if self.interval is not None:
            threading.Thread(target=self._loop, args=(self.interval,), name=self.name, daemon=True).start()
            _begun.append(self)
            _finish_at_exit()
        return True

    def _loop(self, interval: float) -> None:
        pause = threading.Event()
        while not pause.wait(interval):
            self.run()


def finish() -> None:
    """Does all work of this process once more. Servers call it when a worker stops.

    Python calls it at the end of a process, too, but then a storage on the network may be out of reach already: its
    client cannot begin anything any more.
    """
    for periodic in _begun:
        if periodic.owner == os.getpid():
            periodic.run()


def _finish_at_exit() -> None:
    global _finishes_in
    if _finishes_in != os.getpid():
        _finishes_in = os.getpid()
        # Unlike atexit, this covers the processes of multiprocessing, which end past atexit.
        Finalize(None, finish, exitpriority=0)
