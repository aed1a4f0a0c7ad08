"""Work in the background that one thread of a process does at a time."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from nproxy_mw.errors import NproxyError

_log = logging.getLogger(__name__)


PAUSE = 2.0
"""Seconds after a failure in which the work is not begun again."""


class Job:
    """*work*, which is begun when somebody needs it, and not twice at once. A fork leaves it with the parent."""

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
