"""The connections to SQLite files that nobody uses just now: a bounded number of them in a process.

A connection is used by one thread at a time. None is open while a process forks, because a child that has one may
damage the file (https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Hashable

LIMIT = 16
"""Idle connections of one process; each takes three file descriptors and up to 2 MB."""


class IdleConnections:
    """Connections by what they are connected to, the least recently used first. Safe for threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._guard = threading.Lock()
        self._idle: list[tuple[Hashable, sqlite3.Connection]] = []

    def take(self, key: Hashable) -> sqlite3.Connection | None:
        """Returns a connection to *key*, which is then the caller's; None when there is none."""
        with self._guard:
            for index in reversed(range(len(self._idle))):
                if self._idle[index][0] == key:
                    return self._idle.pop(index)[1]
        return None

    def put(self, key: Hashable, connection: sqlite3.Connection) -> None:
        """Keeps *connection* for others, and closes the least recently used one over the limit."""
        with self._guard:
            self._idle.append((key, connection))
            over = [self._idle.pop(0)[1] for _ in range(len(self._idle) - self.limit)]
        for one in over:
            one.close()

    def close(self) -> None:
        """Closes all of them."""
        with self._guard:
            closed, self._idle = self._idle, []
        for _, connection in closed:
            connection.close()

    def _renew(self) -> None:
        self._guard = threading.Lock()  # another thread of the parent may have held it


IDLE = IdleConnections()
"""Those of this process."""

os.register_at_fork(before=IDLE.close, after_in_child=IDLE._renew)
