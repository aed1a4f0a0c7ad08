"""What the processes of one host tell each other of the files in a folder, looked at without a system call.

A look at a file, one `stat`, gives the interpreter to another thread, and gets it back late when there are many. Each
request looks several times. A slot of `nproxy_mw.storage.generations` in mapped memory is read within the interpreter.

Writers write slots by a system call: on a full disk that is an error, where mapped memory would end the process.
Reading ends it only if somebody shortens the file, which nobody here does: it has its full length before it is mapped.
What is mapped is open for reading alone, so that the file system can still be made read-only.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock

from nproxy_mw.storage.generations import SIZE, SLOTS, offset_of
from nproxy_mw.storage.locks import make_private

_log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two looks at which file is at the path."""

_WRITING = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class _Turn:
    """The lock of those who map a file: one for all files of the process, because it is held for a moment."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Makes it anew, in a child: a thread of the parent may have held it, and no thread of the child lets it go."""
        self.lock = Lock()


_turn = _Turn()
os.register_at_fork(after_in_child=_turn.renew)


class MappedGenerations:
    """The slots in the file at *path*, which is made when it is first needed. Nothing here raises an error of the disk.

    *slots* is None while the file cannot be used: then nobody may rely on what others tell.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.slots: mmap | None = None
        self._status: os.stat_result | None = None  # of the file that is mapped
        self._checked = -inf

    def refresh(self, now: float) -> None:
        """Goes on with the file that is at the path, if the last look at it is `PAUSE` old; *now* is monotonic."""
        if not 0 <= now - self._checked < PAUSE:
            self._checked = now
            self._follow()

    def changed(self, key: str) -> None:
        """Tells all processes that *key* was written. They hear of it late when this fails."""
        try:
            try:
                file = os.open(self.path, _WRITING)
            except FileNotFoundError:
                make_private(self.path.parent)
                file = os.open(self.path, _WRITING | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, secrets.token_bytes(SIZE), offset_of(key))
                written = os.fstat(file)
            finally:
                os.close(file)
        except OSError as error:
            _log.debug("a change cannot be told: %s", error)
            return
        if self._status is not None and not os.path.samestat(written, self._status):
            self._follow()

    def _follow(self) -> None:
        with _turn.lock:
            try:
                if self.slots is None or not self._is_mapped():
                    self.slots = None
                    self._map()
            except (OSError, ValueError, AttributeError) as error:  # macOS has no posix_fallocate
                self.slots = None
                _log.debug("each look at a file asks the system, because %s cannot be used: %s", self.path, error)

    def _is_mapped(self) -> bool:
        try:
            return self._status is not None and os.path.samestat(self.path.stat(), self._status)
        except FileNotFoundError:
            return False

    def _map(self) -> None:
        if not self.path.exists() or self.path.lstat().st_size < SLOTS * SIZE:
            make_private(self.path.parent)
            with _opened(self.path, os.O_RDWR | os.O_CREAT) as file:
                os.posix_fallocate(file, 0, SLOTS * SIZE)
        with _opened(self.path, os.O_RDONLY) as file:
            self._status = os.fstat(file)
            self.slots = mmap(file, SLOTS * SIZE, access=ACCESS_READ)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield file
    finally:
        os.close(file)
