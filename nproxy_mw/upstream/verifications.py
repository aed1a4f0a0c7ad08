"""Which kept files some process of this host has verified since it was started: nobody reads them to the end again.

*Strategy:* a small file with a slot for each tarball, shared by all processes. Who has verified a tarball, or written
bytes that were just verified, writes down in its slot what the tarball must be and the state of its file. Who opens it
first in another process finds the same state there, and has read neither seal nor tarball. Tarballs that share a slot
push each other out, which costs a second look, no more.

A power cut may leave files shorter than they were, so the file belongs to one boot of the host. And no disk is believed
for longer than `TRUST`.
"""

from __future__ import annotations

import logging
import os
import struct
import time
import weakref
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from zlib import crc32

from nproxy_mw.upstream.file_states import FileState

SLOTS = 65_536
TRUST = 24 * 3600.0
"""Seconds after which a tarball is verified again by the next process that opens it first."""

_SLOT = struct.Struct(
    "<16sQqQdI107p"
)  # whose it is; inode, time and size of the file; when it was verified; look; digest
_LONGEST = 106  # characters of a digest; SHA-512 has 95
_SIZE = _SLOT.size + 4  # and a CRC-32, or two writers at once could leave half of each
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_log = logging.getLogger(__name__)


class Verified(NamedTuple):
    """A file in a *state* in which its bytes have the *digest*, as in ``dist.integrity``. *look*: see its seal."""

    state: FileState
    digest: str
    look: int = 0


class Verifications:
    """What is verified of the files of a cache, written down in the folder *spool* of this host.

    *boot* names the present boot. If it is None, the system is asked; where it has no name for it, nothing is found and
    nothing noted. *now* returns Unix time in seconds.
    """

    def __init__(self, spool: Path, *, boot: str | None = None, now: Callable[[], float] = time.time) -> None:
        self.path = spool / f"verified.{_boot_id() if boot is None else boot}"
        self.now = now
        self._guard = Lock()
        self._file: int | None = None if self.path.suffix.strip(".") else -1

    def find(self, key: str, state: FileState) -> Verified | None:
        """Returns what was noted of *key* while its file was in this *state*; None for nothing that still counts."""
        slot = self._read(key)
        if len(slot) < _SIZE or crc32(slot[:-4]) != int.from_bytes(slot[-4:], "little"):
            return None
        owner, inode, modified, size, at, look, digest = _SLOT.unpack_from(slot)
        is_known = owner == _owner(key) and FileState(inode, modified, size) == state
        return Verified(state, digest.decode(), look) if is_known and 0 <= self.now() - at < TRUST else None

    def note(self, key: str, verified: Verified) -> None:
        """Notes that the file of *key* is *verified*. Raises nothing: what is not noted is verified again."""
        if len(verified.digest) > _LONGEST:
            return
        data = _SLOT.pack(_owner(key), *verified.state, self.now(), verified.look, verified.digest.encode())
        try:
            file = self._opened()
            if file >= 0:
                os.pwrite(file, data + crc32(data).to_bytes(4, "little"), _offset(key))
        except OSError as error:
            _log.warning("what is verified cannot be noted for other processes: %s", error)
            self._file = -1

    def _read(self, key: str) -> bytes:
        try:
            file = self._opened()
            return os.pread(file, _SIZE, _offset(key)) if file >= 0 else b""
        except OSError:
            return b""

    def _opened(self) -> int:
        """The descriptor, opened at the first use; -1 when there is none."""
        with self._guard:
            if self._file is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                weakref.finalize(self, os.close, self._file).atexit = False  # work at the exit may still need it
            return self._file


def _owner(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()


def _offset(key: str) -> int:
    return int.from_bytes(_owner(key)[:8], "little") % SLOTS * _SIZE


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
