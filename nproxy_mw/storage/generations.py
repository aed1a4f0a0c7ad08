"""How the processes of one host tell each other that an object changed, where asking the storage costs a request.

*Strategy:* a small file for each storage, in which each key has a slot of eight bytes, shared with other keys. The
writer of an object puts eight random bytes into its slot afterwards. A reader notes the slot before it asks the
storage, and relies on the answer only as long as the slot is the same. The bytes are random because two writers that
count at once could write the same number. Keys that share a slot cost each other a question, no more.

A look is one system call. Here the file is never mapped, because a mapped file that somebody shortens ends the process;
where even that call is too much, `nproxy_mw.storage.mapped_generations` does.
"""

from __future__ import annotations

import logging
import os
import secrets
import weakref
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from nproxy_mw.storage.locks import folder_of_user

_log = logging.getLogger(__name__)

SLOTS = 4096
SIZE = 8  # bytes of a slot


class Generations:
    """The slots in the file at *path*, which is created when it is missing.

    Raises:
        OSError: it cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        weakref.finalize(self, os.close, self._file).atexit = False  # work at the exit may still need it

    def __repr__(self) -> str:
        return f"Generations({str(self.path)!r})"

    def of(self, key: str) -> bytes:
        """Returns what the slot of *key* holds: nothing, as long as none of its keys was changed."""
        return os.pread(self._file, SIZE, offset_of(key))

    def changed(self, key: str) -> None:
        """Tells the other processes that *key* was written. They hear of it later when this fails: see `reopen`."""
        self.reopen()
        with suppress(OSError):
            os.pwrite(self._file, secrets.token_bytes(SIZE), offset_of(key))

    def reopen(self) -> None:
        """Goes on with the file that is at the path now: what cleans up temporary folders may have removed the old one.

        Until each process has done so, they do not hear of each other.
        """
        with suppress(OSError):
            if not _is_same(self.path, self._file):
                new = _opened(self.path)
                os.dup2(new, self._file, inheritable=False)
                os.close(new)


def generations_of(bucket: str, prefix: str) -> Generations | None:
    """Returns the slots of this host and user for a bucket; None when they cannot be kept, which the log says."""
    try:
        name = sha256(f"{bucket}/{prefix}".encode()).hexdigest()[:32]
        return Generations(folder_of_user() / f"{name}.generations")
    except (OSError, ValueError) as error:
        _log.warning("The processes of this host see each other's changes late, as --freshness says: %s", error)
        return None


def offset_of(key: str) -> int:
    """Returns where the slot of *key* begins."""
    return crc32(key.encode()) % SLOTS * SIZE


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _is_same(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
