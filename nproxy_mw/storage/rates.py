"""How often somebody asked lately, counted by all processes of a host together.

*Strategy:* one number for each caller, the moment at which all that they took is paid back (GCRA, the leaky bucket of
ITU-T I.371). Anyone who may ask n times a minute pays a minute's n-th part for each time, and may be in debt for at
most a minute: n times at once, then again as the debt shrinks.

The numbers stand in one file of 1 MiB at most, in rows of a few places each. The hash of a caller's name gives their
row, and names them in it. When a row is full, the caller with the smallest debt is forgotten. So nobody pays for
others, and no number of callers makes the file grow. The processes do not lock each other out: of two that count the
same caller at the same instant, one may be lost.
"""

from __future__ import annotations

import logging
import os
import struct
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

_log = logging.getLogger(__name__)

ROWS = 16_384
PLACES = 4
MINUTE = 60_000_000  # microseconds, as all times in the file are

_PLACE = struct.Struct("<QQ")  # the caller, and when they have paid
_ROW = struct.Struct("<" + "QQ" * PLACES)
_NAME = struct.Struct("<IQ")  # row and caller: 12 bytes of a hash


def paid_at(before: int, now: int, per_minute: int) -> int:
    """Returns when a caller who has paid at *before* has paid for one time more. All in microseconds; pure.

    A moment more than a minute ahead was never written by this clock, and counts as a debt of a minute.
    """
    return max(now, min(before, now + MINUTE)) + MINUTE // per_minute


class Rates:
    """The counts that the processes of this host keep in *folder*; if it is None, this process counts alone.

    Nothing is opened before somebody is counted, and nothing stays open.
    """

    def __init__(self, folder: Path | None, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, who: str, per_minute: int) -> float:
        """Counts one time of *who*, who may ask *per_minute* times; returns 0.

        If that is too often, nothing is counted, and the seconds until the next time are returned.
        """
        now = int(self._clock() * 1_000_000)
        row, caller = _NAME.unpack(blake2b(who.encode(), digest_size=_NAME.size).digest())
        with self._lock, self._opened() as file:
            return _take(file, row % ROWS * _ROW.size, caller, now, per_minute) / 1_000_000

    @contextmanager
    def _opened(self) -> Iterator[int]:
        file = _open(self._folder) if self._folder is not None else None
        if file is None:
            yield self._own
            return
        try:
            yield file
        finally:
            os.close(file)

    @cached_property
    def _own(self) -> int:
        """A file for this process alone, where nothing can be shared."""
        with tempfile.TemporaryFile() as file:
            own = os.dup(file.fileno())
        weakref.finalize(self, os.close, own).atexit = False  # work at the exit may still need it
        return own


def _open(folder: Path) -> int | None:
    """Opens the file in *folder*, which is made if it is missing; None if that is impossible."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / "counts", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        _log.warning("Each process counts by itself how often callers ask: %s", error)
        return None


def _take(file: int, offset: int, caller: int, now: int, per_minute: int) -> int:
    """Counts *caller* in the row at *offset*; returns how long they must wait instead, in microseconds."""
    callers = list(_PLACE.iter_unpack(os.pread(file, _ROW.size, offset).ljust(_ROW.size, b"\0")))
    place = _place_of(caller, callers)
    before = callers[place][1] if callers[place][0] == caller else 0
    paid = paid_at(before, now, per_minute)
    if paid <= now + MINUTE:
        os.pwrite(file, _PLACE.pack(caller, paid), offset + place * _PLACE.size)
    return max(0, paid - now - MINUTE)


def _place_of(caller: int, callers: list[tuple[int, int]]) -> int:
    """Returns the place of *caller* in its row; of a stranger, the place of who owes least."""
    names = [name for name, _ in callers]
    return names.index(caller) if caller in names else min(range(PLACES), key=lambda place: callers[place][1])
