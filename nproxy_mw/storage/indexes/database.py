"""An index that is there whenever it is asked for: begun when it is missing, begun anew when it is damaged.

*Strategy:* SQLite in WAL mode. Readers do not wait for a writer, and a writer that is killed leaves the state before
its transaction or after it. What the last moments before a power cut wrote may be lost: it can be derived again.

Where no file can be written, the index is in the memory of this process, on one connection.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NoReturn

import orjson
from msgspec import Struct, field

from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.storage.indexes.connections import IDLE
from nproxy_mw.storage.indexes.files import IndexFile, connect
from nproxy_mw.storage.indexes.schema import IndexSchema

_log = logging.getLogger(__name__)

_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_NO_FTS5 = "Search needs an SQLite with FTS5: use a Python that has one."


class IndexGone(Exception):
    """What was there cannot be used, and was left behind. The next use begins a new index."""


class _Memory(Struct):
    """The one connection to an index in memory."""

    connection: sqlite3.Connection
    turn: threading.Lock = field(default_factory=threading.Lock)


class IndexDatabase:
    """The index of the organization *org*: a file in *folder*, or in memory if *folder* is None."""

    def __init__(self, folder: Path | None, org: str, schema: IndexSchema) -> None:
        self.org = org
        self.schema = schema
        self.file = IndexFile(folder, org, schema) if folder is not None else None
        self._memory: dict[int, _Memory] = {}  # by process: a fork must not share one

    def exists(self) -> bool:
        """Returns whether there is an index that has to follow changes."""
        return self.file.inode() is not None if self.file is not None else os.getpid() in self._memory

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lends a connection, on which all reads of the block see one state.

        Raises:
            IndexGone: the index was damaged, or is now kept in memory.
            StorageUnavailable: it cannot be read or written just now.
        """
        return self._lent("BEGIN")

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Lends a connection for one transaction, which an exception undoes. Raises as `reading`."""
        return self._lent("BEGIN IMMEDIATE")

    def lock(self, work: str, timeout: float) -> AbstractContextManager[None]:
        """Keeps other processes of this host out of *work* on this index. Raises as `Locks.hold`."""
        return self.file.lock(work, timeout) if self.file is not None else nullcontext()

    def sweep(self, now: float) -> None:
        """Removes what other versions of this package left: see `IndexFile.sweep`."""
        if self.file is not None:
            self.file.sweep(now)

    def _lent(self, begin: str) -> AbstractContextManager[sqlite3.Connection]:
        return self._of_memory(begin) if self.file is None else self._of_file(self.file, begin)

    @contextmanager
    def _of_memory(self, begin: str) -> Iterator[sqlite3.Connection]:
        if os.getpid() not in self._memory:
            connection = connect(None)
            self.schema.create(connection, self.org)
            self._memory.setdefault(os.getpid(), _Memory(connection))
        memory = self._memory[os.getpid()]
        with memory.turn, _transaction(memory.connection, begin):
            yield memory.connection

    @contextmanager
    def _of_file(self, file: IndexFile, begin: str) -> Iterator[sqlite3.Connection]:
        inode = self._begun(file)
        connection = self._taken(file, inode)
        try:
            with _transaction(connection, begin):
                if not self.schema.is_complete(connection, self.org):
                    raise IndexGone
                yield connection
        except (sqlite3.DatabaseError, orjson.JSONDecodeError, IndexGone) as error:
            connection.close()
            _replace(file, inode, error)
        except BaseException:
            connection.close()
            raise
        IDLE.put((file.path, inode), connection)

    def _begun(self, file: IndexFile) -> int:
        """Returns which file there is; begins one if there is none."""
        try:
            while (inode := file.inode()) is None:
                file.begin()
        except (OSError, sqlite3.Error, NproxyError) as error:
            self._leave(file, error)
        return inode

    def _taken(self, file: IndexFile, inode: int) -> sqlite3.Connection:
        try:
            return IDLE.take((file.path, inode)) or connect(file.path)
        except sqlite3.OperationalError as error:
            self._leave(file, error)
        except sqlite3.DatabaseError as error:
            _replace(file, inode, error)

    def _leave(self, file: IndexFile, error: Exception) -> NoReturn:
        """Goes over to memory where no file can be opened and none can be written."""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
            raise StorageUnavailable(_NO_FTS5) from error
        if _is_writable(file.folder):
            raise _unavailable() from error
        _log.warning("the folder %s cannot be written: this process keeps an index in memory", file.folder)
        self.file = None
        raise IndexGone from error


def _replace(file: IndexFile, inode: int, error: Exception) -> NoReturn:
    """Removes a file that is damaged; any other error is about using it just now."""
    if not _is_damage(error):
        raise _unavailable() from error
    _log.warning("the index %s is damaged: a new one is begun", file.path)
    file.remove(inode)
    raise IndexGone from error


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # what ends the block says more
            connection.rollback()
        raise
    connection.commit()


def _is_damage(error: Exception) -> bool:
    """Returns whether *error* is about what stands in the file, and not about reading it just now."""
    if isinstance(error, sqlite3.DatabaseError):
        # Python's own errors have no code: text that is no UTF-8.
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE
    return True


def _unavailable() -> StorageUnavailable:
    return StorageUnavailable("An index of this host cannot be read or written just now: the log says why.")


def _is_writable(folder: Path) -> bool:
    """Returns whether the trouble is another one than that nothing can be written to *folder*."""
    probe = folder / f".new-{secrets.token_hex(8)}"
    try:
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        return error.errno not in _UNWRITABLE
    return True
