"""Files that reach the disk in their order: what LocalStorage writes with. Paths are text: a Path takes longer.

Bytes go into a temporary file in the folder of the object, on to the disk, and only then get the object's name. Before
the disk is waited for, there is as much to be brought there as possible, because all of it takes hardly longer than one
file: a folder with a new name in it waits for the bytes of the next object of its series.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Self

from msgspec import Struct

from nproxy_mw.errors import Missing
from nproxy_mw.storage.os_errors import unavailable
from nproxy_mw.storage.port import Revision
from nproxy_mw.storage.syncing import sync_together

TEMPORARY = ".new-"
ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

_open_folder = partial(os.open, flags=os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class DiskOrder:
    """What has its name and is perhaps not on the disk: files and folders.

    At the end of a ``with`` block, it is there. If not *is_durable*, nothing is waited for.
    """

    def __init__(self, *, is_durable: bool) -> None:
        self._is_durable = is_durable
        self._files: list[int] = []
        self._folders: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            try:
                if kind is None:
                    self.wait()
            finally:
                if self._files:
                    self._close()
        except OSError as problem:
            raise unavailable(problem) from problem

    def add_file(self, descriptor: int) -> None:
        """Notes a file that is named before its bytes are there. Its descriptor is closed here."""
        self._files.append(descriptor)

    def add_folder(self, path: str) -> None:
        """Notes a folder with a name in it that came or went."""
        self._folders[path] = None

    def wait(self, descriptor: int | None = None) -> None:
        """Returns once all of it is on the disk, and the open file *descriptor* with it."""
        if self._is_durable:
            # A rename is not safe before its folder is on the disk.
            self._files.extend(map(_open_folder, self._folders))
            self._folders.clear()
            sync_together(self._files if descriptor is None else (descriptor, *self._files))
        if self._files:
            self._close()

    def _close(self) -> None:
        while self._files:
            os.close(self._files.pop())


class NewFile(Struct):
    """A temporary file that holds an object's bytes. *path* is emptied when the file was moved to its place."""

    path: str
    revision: Revision


@contextmanager
def written_beside(path: str, data: bytes, order: DiskOrder, *, stays_open: bool = False) -> Iterator[NewFile]:
    """A temporary file in *path*'s folder that holds *data*; gone at the end of the block.

    It is on the disk, with all that is in *order*. If it *stays_open*, it gets there with that; it has no revision yet.

    Raises:
        StorageUnavailable: an ``OSError``, also one of the block.
    """
    temporary = f"{path.rpartition('/')[0]}/{TEMPORARY}{secrets.token_hex(16)}"
    try:
        descriptor = _open_new(temporary, order)
        new = NewFile(temporary, Revision(""))
        try:
            new.revision = _fill(descriptor, data, order, stays_open=stays_open)
            yield new
        finally:
            if new.path:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
    except OSError as error:
        raise unavailable(error) from error


def revision_of(file: str | int) -> Revision:
    """Returns the revision that *file* is at now, a path or the descriptor of an open file. Raises `Missing`."""
    try:
        status = os.stat(file)
    except ABSENT as error:
        raise Missing("There is no such object.") from error
    except OSError as error:
        raise unavailable(error) from error
    return Revision(f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}")


def make_folder(folder: str, order: DiskOrder) -> None:
    """Makes *folder* and those above it that are missing."""
    above = folder.rpartition("/")[0]
    with suppress(FileExistsError):
        try:
            os.mkdir(folder, 0o700)
        except FileNotFoundError:
            make_folder(above, order)
            os.mkdir(folder, 0o700)
    # Also where another process was quicker: it may not have waited yet.
    order.add_folder(above or "/")


def _fill(descriptor: int, data: bytes, order: DiskOrder, *, stays_open: bool) -> Revision:
    """Writes *data* to the new file; returns its revision, with a time that we set ourselves, to the nanosecond.

    One that *stays_open* keeps the time that the system sets, and its revision is not asked for.
    """
    revision = Revision("")
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if not stays_open:
            now = time.time_ns()
            os.utime(descriptor, ns=(now, now))
            revision = revision_of(descriptor)
            order.wait(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if stays_open:
        order.add_file(descriptor)
    else:
        os.close(descriptor)
    return revision


def _open_new(path: str, order: DiskOrder) -> int:
    """Opens a new file, readable by this user only, and makes its folder where that is missing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        make_folder(path.rpartition("/")[0], order)
        return os.open(path, flags, 0o600)
