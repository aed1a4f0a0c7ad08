"""Work in threads of the library's own: `Periodic` is done every few seconds, a `Job` when its result is needed."""

from __future__ import annotations

import atexit
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable

from nproxy_mw.errors import NproxyError

_log = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds after a failure in which the work is not begun again."""

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
        """Makes sure that the thread runs in this process. Returns whether it was started just now."""
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


class Job:
    """*work*, which is begun when its result is needed, and not twice at once. A fork leaves it with the parent."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.work = work
        self._guard = threading.Lock()
        self._thread = threading.Thread()
        self._began = 0.0
        self._failed = -math.inf
        self.failure: NproxyError | None = None
        """What the last run failed with, if it did."""

    def start(self) -> None:
        """Begins the work, unless it is under way, or has just failed."""
        with self._guard:
            if not self._thread.is_alive() and time.monotonic() - self._failed > PAUSE:
                self._began, self.failure = time.monotonic(), None
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Waits for the end of the work, at most *seconds* from when it began."""
        thread = self._thread
        if thread.is_alive():
            thread.join(max(0.0, self._began + seconds - time.monotonic()))

    def _run(self) -> None:
        try:
            self.work()
        except NproxyError as error:
            self.failure, self._failed = error, time.monotonic()
            _log.warning("%s: %s", self.name, error)
        except Exception:
            self._failed = time.monotonic()
            if threading.main_thread().is_alive():  # else the process ends, and so do its pools of threads
                _log.exception("%s failed", self.name)


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
        # The processes of multiprocessing end past atexit. They have it imported; others do without.
        multiprocessing = sys.modules.get("multiprocessing.util")
        if multiprocessing is None:
            atexit.register(finish)
        else:
            multiprocessing.Finalize(None, finish, exitpriority=0)
