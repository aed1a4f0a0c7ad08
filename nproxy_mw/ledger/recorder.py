"""Recording installs without a write per request: facts are counted in memory and written every few seconds.

*Strategy:* a request only appends what was served to a queue, which takes no lock: threads that wait for each other
would cost more than the counting. A thread of its own counts what has gathered, and writes the counts every
`INTERVAL` seconds into one object per process and hour, rewritten whole as it grows. No two processes write the same
object, so a write whose answer was lost is simply repeated. A process that is killed loses at most the last
`INTERVAL` seconds; one that is stopped loses nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

from nproxy_mw.background import Periodic
from nproxy_mw.errors import Changed, Exists, NproxyError
from nproxy_mw.ledger.facts import Count, Counts, InstallKey, encode, merge
from nproxy_mw.storage.layout import INSTALLS
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.times import from_unix

INTERVAL = 5.0
"""Seconds between two writes, and the most that a killed process loses."""

MAX_GATHERED = 500_000
"""Installs that wait to be counted in one process; beyond that the oldest are lost. It takes 100,000 in a second."""

MAX_FACTS = 100_000
"""Facts of one hour that one process counts for one organization. Beyond that it goes on in a new object."""

MAX_LATE = 4
"""Objects that wait in memory while the storage cannot be written. Older ones are given up, and the log says so."""

_log = logging.getLogger(__name__)


class Ledger:
    """Counts the installs of one organization, and writes them to *storage*, the organization's own.

    *now* returns Unix time in seconds. If *interval* is None, no thread is started: the host calls `flush`.
    """

    def __init__(
        self, storage: Storage, *, now: Callable[[], float] = time.time, interval: float | None = INTERVAL
    ) -> None:
        self.storage = storage
        self.now = now
        self._thread = Periodic(self.flush, interval, name="ledger")
        self._gathered: deque[tuple[InstallKey, float]] = deque(maxlen=MAX_GATHERED)
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._batches: list[_Batch] = []  # the last one is the present hour's; earlier ones could not be written yet
        self._owner = 0  # the process that the thread and the batches belong to: neither survives a fork

    def record(self, package: str, version: str, token: str, ip: str) -> None:
        """Counts one fetched tarball. Raises nothing, waits for nothing and writes nothing."""
        if self._owner != os.getpid():
            self._begin()
        self._gathered.append((InstallKey(package, version, token, ip), self.now()))

    def flush(self) -> None:
        """Writes what was counted. What cannot be written stays in memory, and is written later."""
        with self._writing:
            taken = self._counted()
            if taken:
                self._batch(from_unix(self.now())).add(taken)
            for batch in list(self._batches):
                self._write(batch)

    def _counted(self) -> Counts:
        """Takes what has gathered until now, and counts it."""
        counts: Counts = {}
        for _ in range(len(self._gathered)):
            key, moment = self._gathered.popleft()
            found = counts.get(key)
            if found is None:
                counts[key] = Count(1, moment, moment)
            else:
                found.times += 1
                found.last = moment
        return counts

    def _batch(self, now: datetime) -> _Batch:
        """The batch to add to: the last one, unless its hour is over or it is full."""
        hour = f"{now:%Y/%m/%d %H}"
        if not self._batches or self._batches[-1].hour != hour or len(self._batches[-1].counts) > MAX_FACTS:
            self._batches.append(_Batch(hour))
        return self._batches[-1]

    def _write(self, batch: _Batch) -> None:
        try:
            batch.write(self.storage)
        except NproxyError as error:
            _log.warning("the ledger of installs was not written and will be tried again: %s", error)
            if len(self._batches) > MAX_LATE:
                _log.error("the installs of %s h UTC are lost: the storage stayed away too long", batch.hour)
                self._batches.remove(batch)
        else:
            if batch is not self._batches[-1]:
                self._batches.remove(batch)

    def _begin(self) -> None:
        with self._guard:
            if self._owner not in (0, os.getpid()):  # a fork: what the parent counted is the parent's to write
                self._batches, self._writing = [], threading.Lock()
                self._gathered = deque(maxlen=MAX_GATHERED)
            self._owner = os.getpid()
        self._thread.ensure()


class _Batch:
    """What one process counted in one hour, and the object that it is written to, which is this process's alone."""

    def __init__(self, hour: str) -> None:
        self.hour = hour
        self.counts: Counts = {}
        day, _, clock = hour.partition(" ")
        self._key = INSTALLS.key(day, f"{clock}-{secrets.token_hex(8)}")
        self._revision: Revision | None = None
        self._is_written = False

    def add(self, counts: Counts) -> None:
        merge(self.counts, counts)
        self._is_written = False

    def write(self, storage: Storage) -> None:
        """Writes the object whole, unless it is written.

        Raises as the storage does. It may have been written then, and is simply written again.
        """
        if self._is_written:
            return
        data = encode(self.counts)
        try:
            if self._revision is None:
                self._revision = storage.create(self._key, data)
            else:
                self._revision = storage.replace(self._key, data, self._revision)
        except (Exists, Changed):  # an earlier write of ours whose answer was lost
            self._revision = storage.replace(self._key, data, storage.read(self._key).revision)
        self._is_written = True
