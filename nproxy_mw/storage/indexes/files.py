"""The file of an index: begun, opened, and removed when it is damaged.

A new file gets its name when its tables are complete, so what has the name is an index, or was damaged since. Beginning
and removing take a lock: SQLite would read the log of a removed file into a new one of the same name.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from urllib.parse import quote

from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.indexes.schema import IndexSchema

BUSY_SECONDS = 0.5
"""How long a write waits for that of another thread or process."""

_LOCK_SECONDS = 10.0
_UNUSED = 24 * 60 * 60  # seconds after which no process of another version uses its file any more
_SIDES = ("", "-wal", "-shm")


class IndexFile:
    """The file of the index of *org* in *folder*."""

    def __init__(self, folder: Path, org: str, schema: IndexSchema) -> None:
        self.folder = folder
        self.org = org
        self.schema = schema
        self.path = folder / f"{org}.v{schema.version}.sqlite3"

    def inode(self) -> int | None:
        """Returns what tells this file from an earlier one of its name; None when there is none."""
        try:
            return self.path.stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None

    def lock(self, work: str, timeout: float) -> AbstractContextManager[None]:
        """Keeps other processes of this host out of *work* on this file. Raises as `Locks.hold`."""
        # A folder for each kind of work: one may be done while another goes on, and two names can share one lock.
        return Flocks(self.folder / "locks" / work, names=64).hold(self.org, timeout)

    def begin(self) -> None:
        """Begins an empty index where there is none.

        Raises:
            OSError, sqlite3.Error: it cannot be written.
            StorageUnavailable: there is no place for locks.
            Busy: another process takes long.
        """
        for missing in [one for one in reversed([self.folder, *self.folder.parents]) if not one.exists()]:
            missing.mkdir(mode=0o700, exist_ok=True)
        new = self.folder / f".new-{secrets.token_hex(8)}"
        with self.lock("files", _LOCK_SECONDS):
            if self.inode() is not None:
                return
            try:
                os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                with closing(connect(new)) as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                    self.schema.create(connection, self.org)
                new.rename(self.path)
            finally:
                for side in _SIDES:
                    Path(f"{new}{side}").unlink(missing_ok=True)

    def remove(self, inode: int) -> None:
        """Removes the file, if it is still the one of *inode*. Raises as `begin`."""
        with self.lock("files", _LOCK_SECONDS):
            if self.inode() == inode:
                for side in _SIDES:
                    Path(f"{self.path}{side}").unlink(missing_ok=True)

    def sweep(self, now: float) -> None:
        """Removes files of other versions that have not been used for a day before *now*, a Unix time."""
        for file in self.folder.glob(f"{self.org}.v*.sqlite3*"):
            with suppress(FileNotFoundError):
                if not file.name.startswith(self.path.name) and now - file.stat().st_mtime > _UNUSED:
                    file.unlink()


def connect(path: Path | None) -> sqlite3.Connection:
    """Connects to the existing file at *path*, or to a new database in memory if it is None.

    Any thread may use the connection, one at a time.
    """
    target = ":memory:" if path is None else f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(
        target, uri=path is not None, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL, enough to stay whole through a power cut
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
