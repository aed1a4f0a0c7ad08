"""Locks that order the writers of one machine. They only avoid lost races: revisions keep objects whole.

A lock's name may be anything. Hold one name at a time: two names may share a lock.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from msgspec import Struct

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


BUSY = "Another change of the same thing is under way: try again."


class FileLocks(Struct, frozen=True):
    """Locks between all threads and processes of one machine: files in *folder*, which holds nothing else.

    The files are empty, there are at most *names* of them, and they are never deleted: a deleted lock file can have two
    holders. The lock of a killed holder is free at once. A network folder does not work.
    """

    folder: Path
    names: int = 4096

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        # It brings asyncio along: a command that changes no packument does without.
        from filelock import FileLock, Timeout

        # A new object each time: a shared one is re-entrant, or no lock at all, and breaks in a fork. Where flock is
        # missing, filelock's fallback to lock files would outlive a killed holder.
        path = f"{self.folder}/{file_name(name, self.names)}"
        lock = FileLock(path, timeout=timeout, mode=0o600, poll_interval=0.002, fallback_to_soft=False)
        try:
            make_private(self.folder)
            lock.acquire()
        except Timeout as error:
            raise Busy(BUSY) from error
        except OSError as error:
            raise unusable() from error
        try:
            yield
        finally:
            lock.release()


def file_name(name: str, names: int) -> str:
    """Returns the file, one of *names*, whose lock is that of *name*."""
    return f"{int.from_bytes(sha256(name.encode()).digest()[:8]) % names:03x}.lock"


def unusable() -> StorageUnavailable:
    """Returns the error of a folder for locks that cannot be used."""
    return StorageUnavailable("The folder for locks cannot be written to.", retry_after=10)


def make_private(folder: Path) -> None:
    """Makes *folder*, and those above it that are missing, for this user alone: others could hold its locks."""
    with suppress(FileExistsError):
        try:
            os.mkdir(folder, 0o700)
        except FileNotFoundError:
            make_private(folder.parent)
            os.mkdir(folder, 0o700)


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
                raise Busy(BUSY)
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
