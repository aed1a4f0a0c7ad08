"""Locks that order the writers of one machine. They only save lost races: what keeps an object whole is its revision.

A lock's name may be anything. Hold one name at a time: two names may share one lock.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from fsspec.core import split_protocol
from fsspec.implementations.local import LocalFileSystem

from nproxy_mw.errors import Busy, StorageUnavailable


class Locks(Protocol):
    """What a writer holds while it reads, changes and writes one thing."""

    def hold(self, name: str, timeout: float) -> AbstractContextManager[None]:
        """Holds *name* for a ``with`` block, after waiting at most *timeout* seconds for it.

        Raises:
            Busy: it was not free in time.
            StorageUnavailable: there is no place for locks just now.
        """
        ...


_BUSY = "Another change of the same thing is under way: try again."


@dataclass(frozen=True, slots=True)
class FileLocks:
    """Locks between all threads and processes of one machine: files in *folder*, which only ever holds them.

    The files are empty, at most *names* many, and are never deleted: a deleted lock file has two holders. A killed
    holder's lock is free at once. A shared network folder is no substitute for one machine.
    """

    folder: Path
    names: int = 4096

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        number = int.from_bytes(sha256(name.encode()).digest()[:8]) % self.names
        # A new object each time: one that is shared is re-entrant, or no lock at all, and dies with a fork. Where flock
        # is missing, a quiet fallback to lock files would outlive a killed holder.
        lock = FileLock(
            self.folder / f"{number:03x}.lock", timeout=timeout, poll_interval=0.005, fallback_to_soft=False
        )
        try:
            lock.acquire()
        except Timeout as error:
            raise Busy(_BUSY) from error
        except OSError as error:
            raise StorageUnavailable("The folder for locks cannot be written to.", retry_after=10) from error
        try:
            yield
        finally:
            lock.release()


class ThreadLocks:
    """Locks between the threads of one process, for a storage that only this process has."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._wanted: dict[str, tuple[threading.Lock, int]] = {}  # the lock of a name, and how many hold or await it

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        lock = self.want(name)
        try:
            if not lock.acquire(timeout=timeout):
                raise Busy(_BUSY)
            try:
                yield
            finally:
                lock.release()
        finally:
            self.leave(name)

    def want(self, name: str) -> threading.Lock:
        """The lock of *name*, kept until as many have left as wanted it."""
        with self._guard:
            lock, users = self._wanted.get(name, (threading.Lock(), 0))
            self._wanted[name] = (lock, users + 1)
        return lock

    def leave(self, name: str) -> None:
        """Forgets the lock of *name* when nobody wants it any more."""
        with self._guard:
            lock, users = self._wanted.pop(name)
            if users > 1:
                self._wanted[name] = (lock, users - 1)


def locks_for(url: str, folder: Path | None = None) -> Locks:
    """The locks that suit the storage at *url*: in *folder* when one is given.

    If *folder* is None, a local storage keeps them beside its objects, one in memory needs threads' locks only, and for
    one on the network they lie in a folder of this user and this machine.

    Raises:
        ValueError: the machine's folder for temporary files holds somebody else's under our name.
    """
    scheme, _ = split_protocol(url)
    if folder is not None:
        return FileLocks(folder)
    if scheme == "memory":
        return ThreadLocks()
    if scheme in (None, "file", "local"):
        return FileLocks(Path(LocalFileSystem._strip_protocol(url)) / ".locks" / "names")
    return FileLocks(own_folder() / sha256(url.encode()).hexdigest()[:32])


def own_folder() -> Path:
    """A folder for locks that no other user of this machine may write to."""
    folder = Path(tempfile.gettempdir()) / f"nproxy-locks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ValueError("The temporary folder holds somebody else's locks: name another folder for locks.")
    return folder
