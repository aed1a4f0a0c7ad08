"""Storage in a folder of this machine, for any number of its threads and processes.

*Strategy:* an object's file is never written in place. Its bytes go into a temporary file in the same folder, on to the
disk, and only then get the object's name: by a hard link when the object is new (one link wins), by a rename over the
old file under a lock when it is not. A killed process leaves at most a temporary file, which nobody reads;
`LocalStorage.sweep` removes it.

A revision is the file's modification time, which we set ourselves to the nanosecond, its inode and its size: one look
at the folder tells whether an object has changed. So the file system must keep times to 100 ns or better (ext4, XFS,
Btrfs, ZFS and APFS do) and have hard links and file locks: a local disk, not a network share.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from nproxy_mw.errors import Busy, Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage.locks import FileLocks
from nproxy_mw.storage.os_errors import translated, unavailable
from nproxy_mw.storage.port import Revision, Stored, check_key, is_key

_TEMPORARY = ".new-"
_LOCK_TIMEOUT = 10.0  # seconds; a holder needs a millisecond
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalStorage:
    """A folder that holds one file per object."""

    def __init__(self, root: str | Path, *, durable: bool = True) -> None:
        self.root = Path(root).absolute()
        self._root = f"{self.root}/"  # a Path takes longer than the look, and each request looks several times
        self.durable = durable
        self._locks = FileLocks(self.root / ".locks" / "writes", names=256)

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.root)!r})"

    def read(self, key: str) -> Stored:
        with translated(), self._opened(key) as file:
            return Stored(data=file.read(), revision=_revision_of(file.fileno()))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        return None if _revision_of(self._root + check_key(key)) == revision else self.read(key)

    def open(self, key: str) -> BinaryIO:
        with translated():
            return self._opened(key)

    def create(self, key: str, data: bytes) -> Revision:
        target = self.root / check_key(key)
        # Not by the Path: what cannot be looked at cannot be written either, and then the write says why.
        if os.path.exists(target):  # noqa: PTH110
            raise Exists("The key is taken.")
        with _written_beside(target, data, durable=self.durable) as (temporary, new):
            self._link(temporary, target)
            return new

    def adopt(self, key: str, path: Path) -> None:
        """Makes the file at *path*, on the same file system, a new object by a second name. It is not written again.

        Raises:
            Exists: the key is taken.
        """
        target = self.root / check_key(key)
        with translated():
            _make_folder(target.parent, durable=self.durable)
            self._link(path, target)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        target = self.root / check_key(key)
        self._check_revision(key, revision)
        with _written_beside(target, data, durable=self.durable) as (temporary, new):
            with self._locked(key):
                self._check_revision(key, revision)
                temporary.replace(target)
            self._sync(target.parent)
            return new

    def delete(self, key: str) -> None:
        target = self.root / check_key(key)
        # Under the lock: a `replace` that has just looked must not bring the object back.
        with translated(), self._locked(key):
            try:
                target.unlink()
            except _ABSENT as error:
                raise Missing("There is no such object.") from error
            self._sync(target.parent)

    def list(self, prefix: str = "") -> Iterator[str]:
        folder = self.root / check_key(prefix) if prefix else self.root
        return (key for key, _ in _walk(folder, f"{prefix}/" if prefix else ""))

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]:
        folder = self.root / check_key(prefix) if prefix else self.root
        for key, path in _walk(folder, f"{prefix}/" if prefix else ""):
            with suppress(Missing):  # deleted meanwhile
                yield key, _revision_of(path)

    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime]]:
        folder = self.root / check_key(prefix) if prefix else self.root
        for key, path in _walk(folder, f"{prefix}/" if prefix else ""):
            with suppress(FileNotFoundError), translated():  # deleted meanwhile
                yield key, datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)

    def sweep(self, older_than: float = 86_400.0, *, dry_run: bool = False) -> int:
        """Removes temporary files that killed processes left more than *older_than* seconds ago; returns how many.

        With *dry_run* they are only counted.
        """
        swept = 0
        with translated():
            for file in self.root.rglob(f"{_TEMPORARY}*"):
                try:
                    if time.time() - file.stat().st_mtime < older_than:
                        continue
                except FileNotFoundError:  # its writer has just finished
                    continue
                if not dry_run:
                    file.unlink(missing_ok=True)
                swept += 1
        return swept

    def _link(self, file: Path, target: Path) -> None:
        try:
            target.hardlink_to(file)
        except FileExistsError as error:
            raise Exists("The key is taken.") from error
        self._sync(target.parent)

    def _sync(self, folder: Path) -> None:
        if self.durable:
            _sync_folder(folder)

    def _opened(self, key: str) -> BinaryIO:
        """The object's file. What was opened stays whole: its bytes are never written again."""
        try:
            return open(self._root + check_key(key), "rb")  # noqa: PTH123 - not by a Path: see LocalStorage
        except _ABSENT as error:
            raise Missing("There is no such object.") from error

    def _check_revision(self, key: str, revision: Revision) -> None:
        """Passes when the object is at *revision*; raises `Changed`."""
        try:
            found = _revision_of(self._root + check_key(key))
        except Missing as error:
            raise Changed("The object is gone.") from error
        if found != revision:
            raise Changed("The object has another revision.")

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keeps other writers of *key* out."""
        try:
            with self._locks.hold(key, _LOCK_TIMEOUT):
                yield
        except Busy as error:
            raise StorageUnavailable("The storage did not get to writing in time: its disk is slow.") from error


def _revision_of(file: str | int) -> Revision:
    """The revision that *file* is at now, a path or the descriptor of an open file."""
    try:
        status = os.stat(file)  # noqa: PTH116 - not by a Path: see LocalStorage
    except _ABSENT as error:
        raise Missing("There is no such object.") from error
    except OSError as error:
        raise unavailable(error) from error
    return Revision(f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}")


@contextmanager
def _written_beside(target: Path, data: bytes, *, durable: bool) -> Iterator[tuple[Path, Revision]]:
    """A temporary file in *target*'s folder that holds *data* and is on the disk; gone at the end of the block.

    An ``OSError`` of the block comes out as `StorageUnavailable`.
    """
    temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(16)}")
    try:
        try:
            with _open_new(temporary, durable=durable) as file:
                file.write(data)
                file.flush()
                now = time.time_ns()
                os.utime(file.fileno(), ns=(now, now))
                if durable:
                    os.fsync(file.fileno())
                revision = _revision_of(file.fileno())
            yield temporary, revision
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise unavailable(error) from error


def _open_new(path: Path, *, durable: bool) -> BinaryIO:
    """Opens a new file, readable by this user only, and makes its folder where that is missing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        _make_folder(path.parent, durable=durable)
        descriptor = os.open(path, flags, 0o600)
    return os.fdopen(descriptor, "wb")


def _make_folder(folder: Path, *, durable: bool) -> None:
    """Makes *folder* and those above it; if *durable*, each is on the disk before anything is in it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        _make_folder(folder.parent, durable=durable)
        folder.mkdir(mode=0o700, exist_ok=True)
    if durable:
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Brings the folder's names to the disk: a rename is not safe before its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: str | Path, above: str) -> Iterator[tuple[str, str]]:
    """The keys in *folder*, whose own key is *above*, with the paths of their files; nothing for a missing folder."""
    with translated():
        try:
            with os.scandir(folder) as entries:
                found = [(entry.name, entry.is_dir()) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return
    for name, is_folder in found:
        if not is_key(above + name):
            continue
        if is_folder:
            yield from _walk(f"{folder}/{name}", f"{above}{name}/")
        else:
            yield above + name, f"{folder}/{name}"
