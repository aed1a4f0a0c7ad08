"""A file that grows while others read it, in this process and in other processes of the host.

Next to the file lies its state, a small JSON file that is replaced whole: how large it will be, and at the end whether
all went well. Readers follow the file by its size. They keep it open, so its being moved away does not concern them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.npm.documents import Blob
from nproxy_mw.upstream.verifying import HELD, Digest

PAUSE = 0.005  # seconds between two looks at a file that has not grown
LONGEST_PAUSE = 0.05
SILENCE = 90.0  # seconds without a byte after which a reader gives up: longer than the upstream's own timeouts
CHUNK = 256 * 1024


class _State(msgspec.Struct):
    size: int | None = None
    outcome: str = ""  # "done", "failed", or empty while it grows
    reason: str = ""


class HostLock:
    """A lock between all processes of a host that one thread can take and another release.

    It is a lock of the operating system on an open file (flock), so a killed process gives it up at once.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, waits: bool = False) -> Self | None:
        """Returns the lock at *path*, or None when somebody has it, unless this call *waits* for it.

        Raises `OSError` as opening a file does.
        """
        descriptor = _opened_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return None
            raise
        return cls(descriptor)

    def release(self) -> None:
        """Gives the lock up."""
        os.close(self._descriptor)


class Growing:
    """One such file at *path*. Its writer holds its lock."""

    def __init__(self, path: Path, size: int | None, descriptor: int, state_path: Path) -> None:
        self.path = path
        self.size = size
        self._descriptor = descriptor
        self._state_path = state_path

    @classmethod
    def begin(cls, path: Path, size: int | None) -> Self:
        """Begins the file anew; *size* is how many bytes it will have, None when nobody said."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        growing = cls(path, size, descriptor, path.with_suffix(".state"))
        growing._say(_State(size))
        return growing

    @classmethod
    def follow(cls, path: Path) -> Self | None:
        """Opens the file that somebody writes at *path*; returns None when it is not there yet."""
        state = _read_state(path.with_suffix(".state"))
        if state is None or state.outcome:
            return None
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        return cls(path, state.size, descriptor, path.with_suffix(".state"))

    def write(self, data: bytes) -> None:
        """Appends *data*."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Says that all is there and right."""
        self._say(_State(self.size, "done"))
        self._put_away()

    def fail(self, reason: str) -> None:
        """Says that what is there is not to be used."""
        self._say(_State(self.size, "failed", reason))
        self._put_away()

    def settle(self, patience: float) -> None:
        """Waits up to *patience* seconds until the writer is done, well or not."""
        pause, deadline = PAUSE, time.monotonic() + patience
        while time.monotonic() < deadline and _is_growing(self._state_path):
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def blob(self, digest: Digest | None) -> Blob:
        """Returns what is read of the file while it grows; its last bytes come when all is there and right."""
        reader = os.dup(self._descriptor)
        return Blob(self._chunks(reader), size=self.size, integrity=str(digest or ""), close=_closing_once(reader))

    def followed(self, digest: Digest | None) -> Blob:
        """Returns the same to a reader that is not the writer, who needs the file for nothing else."""
        blob = self.blob(digest)
        os.close(self._descriptor)
        return blob

    def _chunks(self, reader: int) -> Iterator[bytes]:
        at, pause, deadline = 0, PAUSE, time.monotonic() + SILENCE
        state = _State()
        while True:
            if state.outcome != "done":  # for good: what is said later is said of another file of this name
                state = _read_state(self._state_path) or _State(outcome="failed", reason="it was given up")
            there = os.fstat(reader).st_size
            if state.outcome == "failed":
                raise UpstreamUnavailable(f"The tarball could not be fetched whole: {state.reason}")
            end = there if state.outcome == "done" else there - HELD
            if at < end:
                chunk = os.pread(reader, min(CHUNK, end - at), at)
                at += len(chunk)
                pause, deadline = PAUSE, time.monotonic() + SILENCE
                yield chunk
            elif state.outcome == "done":
                return
            elif time.monotonic() > deadline:
                raise UpstreamUnavailable("The tarball could not be fetched whole: nothing came for long.")
            else:
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _say(self, state: _State) -> None:
        partial = self._state_path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(msgspec.json.encode(state))
        partial.replace(self._state_path)

    def _put_away(self) -> None:
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _opened_lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def lock_of(path: Path) -> Path:
    """Returns where the lock is that the writer of the file at *path* holds: one of 4096 in the same folder."""
    return path.parent / "locks" / path.name[:3]


def has_writer(path: Path) -> bool:
    """Returns whether somebody writes the file at *path* now. Raises `OSError`."""
    lock = HostLock.take(lock_of(path))
    if lock is not None:
        lock.release()
    return lock is None


def planned_size(path: Path) -> int:
    """Returns how many bytes the file at *path* will have; 0 when nobody writes it, or said."""
    state = _read_state(path.with_suffix(".state"))
    return state.size or 0 if state is not None and not state.outcome else 0


def _is_growing(path: Path) -> bool:
    state = _read_state(path)
    return state is not None and not state.outcome


def _read_state(path: Path) -> _State | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _closing_once(descriptor: int) -> Callable[[], None]:
    left = [descriptor]

    def close() -> None:
        if left:
            os.close(left.pop())

    return close
