"""Locks that order the writers of one machine. They only avoid lost races: revisions keep objects whole.

A lock's name may be anything. Hold one name at a time: two names may share a lock.
"""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.storage.urls import local_folder


class Locks(Protocol):
    """What a writer holds while it reads, changes and writes one object."""

    def hold(self, name: str, timeout: float) -> AbstractContextManager[None]:
        """Holds *name* for a ``with`` block, after a wait of at most *timeout* seconds.

        Raises:
            Busy: it was not free in time.
            StorageUnavailable: locks cannot be made just now.
        """
        ...


_BUSY = "Another change of the same thing is under way: try again."
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_FIRST_PAUSE = 0.0005  # seconds, then twice as long each time
_LONGEST_PAUSE = 0.004


@dataclass(frozen=True, slots=True)
class FileLocks:
    """Locks between all threads and processes of one machine: files in *folder*, which holds nothing else.

    The files are empty, there are at most *names* of them, and they are never deleted: a deleted lock file can have two
    holders. The lock of a killed holder is free at once. A network folder does not work.
    """

    folder: Path
    names: int = 4096

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        number = int.from_bytes(sha256(name.encode()).digest()[:8]) % self.names
        try:
            # Opened anew each time: a lock belongs to what was opened, so each thread has one of its own.
            descriptor = self._open(f"{self.folder}/{number:03x}.lock")
        except OSError as error:
            raise _unusable() from error
        with _locked(descriptor, timeout):
            yield

    def _open(self, path: str) -> int:
        try:
            return os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            _make_private(self.folder)
            return os.open(path, _FLAGS, 0o600)


@contextmanager
def held_file(path: Path) -> Iterator[None]:
    """Holds one file for a ``with`` block, without waiting for it. It is created, and never deleted.

    Raises:
        Busy: somebody else holds it.
        StorageUnavailable: it cannot be locked.
        OSError: it cannot be made.
    """
    with _locked(os.open(path, _FLAGS, 0o600), timeout=0):
        yield


@contextmanager
def _locked(descriptor: int, timeout: float) -> Iterator[None]:
    _held.add(descriptor)
    try:
        _lock(descriptor, timeout)
        yield
    finally:
        _let_go(descriptor)


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
                raise Busy(_BUSY) from error
        except OSError as error:
            raise _unusable() from error
        time.sleep(min(left, pause * random.uniform(0.5, 1.5)))
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


def _unusable() -> StorageUnavailable:
    return StorageUnavailable("The folder for locks cannot be written to.", retry_after=10)


def _make_private(folder: Path) -> None:
    """Makes *folder*, and those above it that are missing, for this user alone: others could hold its locks."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


class ThreadLocks:
    """Locks between the threads of one process, for a storage that only this process uses."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._wanted: dict[str, tuple[threading.Lock, int]] = {}  # a name's lock, and how many hold or await it

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        lock = self._want(name)
        try:
            if not lock.acquire(timeout=timeout):
                raise Busy(_BUSY)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(name)

    def _want(self, name: str) -> threading.Lock:
        """The lock of *name*, kept until everyone who wanted it has left."""
        with self._guard:
            lock, users = self._wanted.get(name, (threading.Lock(), 0))
            self._wanted[name] = (lock, users + 1)
        return lock

    def _leave(self, name: str) -> None:
        """Drops the lock of *name* when nobody wants it any more."""
        with self._guard:
            lock, users = self._wanted.pop(name)
            if users > 1:
                self._wanted[name] = (lock, users - 1)


def locks_for(url: str, folder: Path | None = None) -> Locks:
    """Returns the locks that suit the storage at *url*, in *folder* when one is given.

    If *folder* is None, a local storage keeps them in its own folder, one in memory needs locks of threads only, and
    for a storage on the network they are in a folder of this user on this machine.

    Raises:
        ValueError: that folder belongs to another user, or *url* is not the URL of a storage.
    """
    if folder is not None:
        return FileLocks(folder)
    if url.startswith("memory:"):
        return ThreadLocks()
    local = local_folder(url)
    if local is not None:
        return FileLocks(local / ".locks" / "names")
    return FileLocks(folder_of_user() / sha256(url.encode()).hexdigest()[:32])


def folder_of_user() -> Path:
    """A folder for locks that no other user of this machine may write to."""
    folder = Path(tempfile.gettempdir()) / f"nproxy-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ValueError(f"The folder {folder} belongs to another user: set TMPDIR to a folder of this user.")
    return folder
