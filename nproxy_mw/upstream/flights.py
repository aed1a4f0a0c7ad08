"""One fetch per object and host: requests for the same thing wait for the first one, and get its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nproxy_mw.storage.locks import Locks, ThreadLocks

PATIENCE = 60.0
"""Seconds that a follower waits for its leader before it gets a 503."""


class Flights:
    """Lets one holder of a key in at a time: of all threads of the process, then of all processes of the host.

    The followers look into the cache again before they ask the upstream, so the upstream is asked once. *host* is the
    lock between processes; if it is None, there is only this one.
    """

    def __init__(self, host: Locks | None = None) -> None:
        self._threads = ThreadLocks()
        self._host = host

    @contextmanager
    def hold(self, key: str, patience: float = PATIENCE) -> Iterator[None]:
        """Holds *key* for a ``with`` block, after a wait of up to *patience* seconds.

        Raises:
            Busy: it was not free in time.
        """
        with self._threads.hold(key, patience):
            if self._host is None:
                yield
            else:
                with self._host.hold(key, patience):
                    yield
