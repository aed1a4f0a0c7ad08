"""Dirty marks: which organizations may have changes that the audit trail does not show yet.

A change is stored with its events, and these get into the chain of the administration and into the index right after.
A process that is killed in between leaves a change that must be found without reading the whole store. So a process
leaves a mark in the organization's home before its first change. One mark stands for all changes that begin within
`PERIOD`: a second publish writes none. The mark goes when all of them are shown: with the first change of the next
period, or at the end of the process.

A mark that is found says: whatever was stored since it was written may not be shown. Nobody knows whether its process
still runs, so it is left alone until it is older than `DEAD`: by then no change that relies on it is under way, though
the clocks of the hosts differ. See ``docs/decisions/0043-a-start-mends-from-marks.md``.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from msgspec import Struct, field

from nproxy_mw.errors import Busy, Changed, ClientError, Exists, Missing, NproxyError, StorageUnavailable
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import DIRTY, MENDED
from nproxy_mw.storage.listing import list_with_times
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, compact, parse_time, timestamp, utc_now

PERIOD = 600.0
"""Seconds for which a mark is used."""

DEAD = timedelta(hours=1)
"""After this, no change that relies on a mark is under way: `PERIOD`, the longest change, and the error of clocks."""

TRUST = timedelta(days=7)
"""How long it counts that everything was looked at. So whatever a mark missed is found within that time."""

_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)  # no mark is older
_log = logging.getLogger(__name__)
_open: set[DirtyMarks] = set()
_opening = threading.Lock()


class _Mark(Struct, eq=False):
    """One mark of this process. *changes* are under way; *is_clean* while all that have ended are shown."""

    key: str
    begun: float
    wall: float
    changes: int = 0
    is_clean: bool = True
    owner: int = field(default_factory=os.getpid)


class Unshown(Struct, frozen=True):
    """What a start has to look at: what was stored since the moment *since*; everything when that is None.

    *dead* are the marks that nobody relies on any more. They can go when that was done.
    """

    since: datetime | None = None
    dead: tuple[str, ...] = ()


def unshown(storage: Storage, now: datetime) -> Unshown | None:
    """Returns what the marks on *storage*, an organization's own, say; None when everything is shown.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    times = dict(list_with_times(storage, DIRTY.folder))
    dead = tuple(key for key, time in times.items() if max(_written_at(key), time or _EARLIEST) < now - DEAD)
    if not _is_trusted(storage, now):
        return Unshown(None, dead)
    if not times:
        return None
    # By the clock of its process and by that of the storage, whichever is earlier; and some more, for their error.
    earliest = [min(_written_at(key), time or datetime.max.replace(tzinfo=UTC)) for key, time in times.items()]
    return Unshown(max(min(earliest), _EARLIEST) - DEAD, dead)


def note_mended(storage: Storage, begun: datetime) -> None:
    """Notes that everything was looked at, from the moment *begun* on. Another process may do the same.

    Raises:
        StorageUnavailable: the storage cannot be read or written.
    """
    data = documents.encode({"begun": timestamp(begun)})
    with suppress(Exists, Changed):
        try:
            storage.replace(MENDED.key(), data, storage.read(MENDED.key()).revision)
        except Missing:
            storage.create(MENDED.key(), data)


def _is_trusted(storage: Storage, now: datetime) -> bool:
    """Whether everything was looked at within `TRUST`. A time in the future is one that no clock has shown."""
    try:
        document = documents.find(storage, MENDED.key())
        return document is not None and timedelta() <= now - parse_time(document["begun"]) + DEAD < TRUST
    except (UnreadableObject, KeyError, TypeError, ValueError):
        return False


def _written_at(key: str) -> datetime:
    """When the mark under *key* was written, by the clock of its process; long ago for what is no mark."""
    (name,) = DIRTY.parse(key) or ("",)
    try:
        return datetime.strptime(name[:19], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return _EARLIEST


class DirtyMarks:
    """The marks of this process on *storage*, an organization's own."""

    def __init__(
        self, storage: Storage, *, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.storage = storage
        self.clock = clock
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._marks: list[_Mark] = []  # the last one is used

    @contextmanager
    def covering(self) -> Iterator[Cover]:
        """Holds a mark while a change is stored and then shown: from the moment that `Cover.begin` is called."""
        cover = Cover(self)
        try:
            yield cover
        except (ClientError, Busy):  # nothing was stored
            cover.end(is_clean=True)
            raise
        except BaseException:  # it may have been stored
            cover.end(is_clean=False)
            raise
        cover.end(is_clean=True)

    def spoil(self) -> None:
        """Notes that something is stored and not shown: the marks of this process stay for the next start."""
        for mark in self._marks:
            mark.is_clean = False

    def settle(self) -> None:
        """Removes the marks under which everything is shown, at a clean end."""
        with self._guard:
            idle, self._marks = self._marks, []
        for mark in idle:
            self._remove(mark)
        with _opening:
            _open.discard(self)

    def begin(self) -> _Mark:
        """Returns the mark of a change that begins; see `Cover.begin`."""
        with self._guard:
            mark = self._marks[-1] if self._marks and self._is_usable(self._marks[-1]) else self._written()
            mark.changes += 1
            return mark

    def end(self, mark: _Mark, *, is_clean: bool) -> None:
        """Ends a change under *mark*."""
        with self._guard:
            mark.changes -= 1
            mark.is_clean = mark.is_clean and is_clean
            if len(self._marks) == 1:  # it is still used
                return
            over = [each for each in self._marks[:-1] if not each.changes]
            self._marks = [each for each in self._marks if each not in over]
        for each in over:
            self._remove(each)

    def _written(self) -> _Mark:
        now = compact(timestamp(self.clock()))
        mark = _Mark(DIRTY.key(f"{now}-{secrets.token_hex(8)}"), self._monotonic(), time.time())
        try:
            self.storage.create(mark.key, documents.encode({}))
        except StorageUnavailable as error:
            # A full disk: unpublishing must be able to make room. The next start looks at everything instead.
            _log.warning("no mark can be written, so the next start takes longer: %s", error)
            mark.begun = -math.inf  # each change tries again
            with suppress(Missing):
                self.storage.delete(MENDED.key())
        self._marks = [each for each in self._marks if each.owner == mark.owner] + [mark]
        with _opening:
            _open.add(self)
        return mark

    def _is_usable(self, mark: _Mark) -> bool:
        """Whether *mark* is young by both clocks: one of them stands still while the machine sleeps."""
        age, by_the_wall = self._monotonic() - mark.begun, time.time() - mark.wall
        return mark.owner == os.getpid() and 0 <= age < PERIOD and 0 <= by_the_wall < PERIOD

    def _remove(self, mark: _Mark) -> None:
        if mark.changes or not mark.is_clean or mark.owner != os.getpid():
            return
        try:
            self.storage.delete(mark.key)
        except Missing:
            return
        except NproxyError as error:
            _log.info("a mark is left behind: %s", error)


class Cover:
    """One change under a mark of *marks*. Nothing is written for one that turns out to change nothing."""

    def __init__(self, marks: DirtyMarks) -> None:
        self._marks = marks
        self._mark: _Mark | None = None

    def begin(self) -> None:
        """Makes sure that there is a mark. Called before each attempt to store the change.

        Raises:
            StorageUnavailable: no mark can be written, and what else makes the next start look cannot be done either.
        """
        if self._mark is None:
            self._mark = self._marks.begin()

    def end(self, *, is_clean: bool) -> None:
        """Ends the change. *is_clean* says that everything that it stored is shown."""
        if self._mark is not None:
            self._marks.end(self._mark, is_clean=is_clean)


def settle_all() -> None:
    """Removes the clean marks of this process: its clean end. Raises nothing."""
    with _opening:
        found = list(_open)
    for marks in found:
        try:
            marks.settle()
        except Exception as error:
            _log.info("a mark is left behind: %s", error)


atexit.register(settle_all)
