"""Locks of the operating system alone, for what is held a thousand times a second, each time for a moment.

They do what `FileLocks` do in a fortieth of the time. The swap of one object in a folder, and a fetch into the cache,
would take less than filelock's bookkeeping.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from nproxy_mw.errors import Busy
from nproxy_mw.jitter import jitter
from nproxy_mw.storage.locks import BUSY, file_name, make_private, unusable

_FIRST_PAUSE = 0.0005  # seconds, then twice as long each time
_LONGEST_PAUSE = 0.004


class Flocks(Struct, frozen=True):
    """Locks as `FileLocks`, on files in a *folder* of their own."""

    folder: Path
    names: int = 4096

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        try:
            # Opened anew each time: a lock belongs to what was opened, so each thread has one of its own.
            descriptor = self._open(f"{self.folder}/{file_name(name, self.names)}")
        except OSError as error:
            raise unusable() from error
        _held.add(descriptor)
        try:
            _lock(descriptor, timeout)
            yield
        finally:
            _let_go(descriptor)

    def _open(self, path: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            make_private(self.folder)
            return os.open(path, flags, 0o600)


def _lock(descriptor: int, timeout: float) -> None:
    """Locks an open file. Waiting is trying again: a lock that is waited for in the kernel has no timeout."""
    deadline, pause = time.monotonic() + timeout, _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Busy(BUSY) from error
        except OSError as error:
            raise unusable() from error
        time.sleep(min(left, pause * jitter(0.5, 1.5)))
        pause = min(2 * pause, _LONGEST_PAUSE)


def _let_go(descriptor: int) -> None:
    if descriptor in _held:  # not in a child that was forked inside of the block
        _held.discard(descriptor)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a program that was started meanwhile may have it open, too
        os.close(descriptor)


def _forget_held() -> None:
    """Closes in a child what its parent holds, so that the parent alone does."""
    while _held:
        os.close(_held.pop())


_held: set[int] = set()
os.register_at_fork(after_in_child=_forget_held)
