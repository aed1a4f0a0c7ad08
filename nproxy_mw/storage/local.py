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
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from nproxy_mw.errors import Busy, Changed, Exists, Missing, StorageUnavailable
from nproxy_mw.storage.disk import ABSENT, TEMPORARY, DiskOrder, make_folder, revision_of, written_beside
from nproxy_mw.storage.flocks import Flocks
from nproxy_mw.storage.mapped_generations import MappedGenerations
from nproxy_mw.storage.os_errors import translated
from nproxy_mw.storage.port import Revision, Stored, check_key, is_key
from nproxy_mw.storage.series import Series

_LOCK_TIMEOUT = 10.0  # seconds; a holder needs a millisecond


class LocalStorage:
    """A folder that holds one file per object.

    What no process of this host tells of, a look may miss for *freshness* seconds: see `nproxy_mw.storage.looks`.
    """

    def __init__(self, root: str | Path, *, durable: bool = True, freshness: float = 0.0) -> None:
        self.root = Path(root).absolute()
        self._root = f"{self.root}/"  # a Path takes longer than the look, and each request looks several times
        self.durable = durable
        self.freshness = freshness
        self.generations = MappedGenerations(self.root / ".locks" / "generations")
        self._locks = Flocks(self.root / ".locks" / "writes", names=256)
        self._order: DiskOrder | None = None  # that of a series

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.root)!r})"

    def read(self, key: str) -> Stored:
        with translated(), self._opened(key) as file:
            return Stored(data=file.read(), revision=revision_of(file.fileno()))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        return None if revision_of(self.path_of(key)) == revision else self.read(key)

    def open(self, key: str) -> BinaryIO:
        with translated():
            return self._opened(key)

    def create(self, key: str, data: bytes) -> Revision:
        target = self.path_of(key)
        # What cannot be looked at cannot be written either, and then the write says why.
        if os.path.exists(target):
            raise Exists("The key is taken.")
        with self._ordered() as order, written_beside(target, data, order) as new:
            _link(new.path, target, order)
            return new.revision

    def stage(self, key: str, data: bytes) -> None:
        """Creates an object that nobody looks for yet: see `nproxy_mw.storage.series.stage`."""
        target = self.path_of(key)
        with self._ordered() as order, written_beside(target, data, order, stays_open=self._order is not None) as new:
            _link(new.path, target, order)

    def series(self) -> Series:
        """Returns a series of writes that reach the disk together: see `nproxy_mw.storage.series`."""
        ordered = copy(self)
        ordered._order = order = self._order or DiskOrder(is_durable=self.durable)
        return Series(ordered, nullcontext() if order is self._order else order)

    def adopt(self, key: str, path: Path) -> None:
        """Makes the file at *path*, on the same file system, a new object by a second name. It is not written again.

        Raises:
            Exists: the key is taken.
        """
        target = self.path_of(key)
        with self._ordered() as order, translated():
            make_folder(_folder_of(target), order)
            order.wait()
            _link(os.fspath(path), target, order)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        target = self.path_of(key)
        _check_revision(target, revision)
        with self._ordered() as order, written_beside(target, data, order) as new:
            with self._locked(key):
                _check_revision(target, revision)
                os.replace(new.path, target)
                new.path = ""
                self.generations.changed(key)
            order.add_folder(_folder_of(target))
            return new.revision

    def delete(self, key: str) -> None:
        target = self.path_of(key)
        with self._ordered() as order, translated():
            order.wait()
            # Under the lock: a `replace` that has just looked must not bring the object back.
            with self._locked(key):
                try:
                    os.unlink(target)
                except ABSENT as error:
                    raise Missing("There is no such object.") from error
                self.generations.changed(key)
            order.add_folder(_folder_of(target))

    def list(self, prefix: str = "") -> Iterator[str]:
        folder = self.root / check_key(prefix) if prefix else self.root
        return (key for key, _ in _walk(folder, f"{prefix}/" if prefix else ""))

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]:
        folder = self.root / check_key(prefix) if prefix else self.root
        for key, path in _walk(folder, f"{prefix}/" if prefix else ""):
            with suppress(Missing):  # deleted meanwhile
                yield key, revision_of(path)

    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime]]:
        folder = self.root / check_key(prefix) if prefix else self.root
        for key, path in _walk(folder, f"{prefix}/" if prefix else ""):
            with suppress(FileNotFoundError), translated():  # deleted meanwhile
                yield key, datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)

    def list_names(self, prefix: str = "") -> Sequence[str] | None:
        with translated():
            try:
                return os.listdir(self.path_of(prefix) if prefix else self._root)
            except (FileNotFoundError, NotADirectoryError):
                return []

    def sweep(self, older_than: float = 86_400.0, *, dry_run: bool = False) -> int:
        """Removes temporary files that killed processes left more than *older_than* seconds ago; returns how many.

        With *dry_run* they are only counted.
        """
        swept = 0
        with translated():
            for file in self.root.rglob(f"{TEMPORARY}*"):
                try:
                    if time.time() - file.stat().st_mtime < older_than:
                        continue
                except FileNotFoundError:  # its writer has just finished
                    continue
                if not dry_run:
                    file.unlink(missing_ok=True)
                swept += 1
        return swept

    def _ordered(self) -> AbstractContextManager[DiskOrder]:
        """The order of the series that this is, or one of a single write."""
        return DiskOrder(is_durable=self.durable) if self._order is None else nullcontext(self._order)

    def path_of(self, key: str) -> str:
        """Returns where the file of the object under *key* is."""
        return self._root + check_key(key)

    def _opened(self, key: str) -> BinaryIO:
        """The object's file. What was opened stays whole: its bytes are never written again.

        Without a buffer: it is read in large pieces, and a buffer asks the system three times more.
        """
        try:
            return open(self.path_of(key), "rb", buffering=0)
        except ABSENT as error:
            raise Missing("There is no such object.") from error

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Keeps other writers of *key* out."""
        try:
            with self._locks.hold(key, _LOCK_TIMEOUT):
                yield
        except Busy as error:
            raise StorageUnavailable("The storage did not get to writing in time: its disk is slow.") from error


def _check_revision(file: str, revision: Revision) -> None:
    """Passes when the object in *file* is at *revision*; raises `Changed`."""
    try:
        found = revision_of(file)
    except Missing as error:
        raise Changed("The object is gone.") from error
    if found != revision:
        raise Changed("The object has another revision.")


def _link(file: str, target: str, order: DiskOrder) -> None:
    try:
        os.link(file, target)
    except FileExistsError as error:
        raise Exists("The key is taken.") from error
    order.add_folder(_folder_of(target))


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


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
