"""Storage on any fsspec file system, for one process: the back end of memory://.

fsspec gives bytes, not atomicity, so one lock of this process orders all operations, and a revision is the hash of the
content. That keeps the port's promises between threads, and none of them between processes or through a crash. It is
for tests, for trying things out, and for a single process on a file system that has no adapter of its own.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from nproxy_mw.errors import Changed, Exists, Missing
from nproxy_mw.storage.os_errors import translated
from nproxy_mw.storage.port import Revision, Stored, check_key, is_key

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# One for all: fsspec shares its file systems within a process, so two storages may use the same one.
_TURN = threading.RLock()


class FsspecStorage:
    """The objects below *root* of one fsspec file system."""

    def __init__(self, fs: AbstractFileSystem, root: str = "") -> None:
        self.fs = fs
        self.root = fs._strip_protocol(root).rstrip("/")

    def __repr__(self) -> str:
        return f"FsspecStorage({type(self.fs).__name__}, {self.root!r})"

    def read(self, key: str) -> Stored:
        path = self._path(key)
        with translated(), _TURN:
            try:
                data = bytes(self.fs.cat_file(path))
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                raise Missing("There is no such object.") from error
        return Stored(data, _revision_of(data))

    def read_if_changed(self, key: str, revision: Revision) -> Stored | None:
        stored = self.read(key)
        return None if stored.revision == revision else stored

    def open(self, key: str) -> BinaryIO:
        return io.BytesIO(self.read(key).data)

    def create(self, key: str, data: bytes) -> Revision:
        with _TURN:
            if self._find(key) is not None:
                raise Exists("The key is taken.")
            return self._write(key, data)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        with _TURN:
            if self._find(key) != revision:
                raise Changed("The object has another revision, or is gone.")
            return self._write(key, data)

    def delete(self, key: str) -> None:
        with translated(), _TURN:
            self.read(key)
            self.fs.rm_file(self._path(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        folder = self._path(prefix) if prefix else self.root
        with translated(), _TURN:
            try:
                found = self.fs.find(folder or "/")
            except FileNotFoundError:
                found = []
        keys = [path[len(self.root) :].removeprefix("/") for path in found if path != folder]
        return iter([key for key in keys if is_key(key)])

    def _path(self, key: str) -> str:
        """The path of the object of *key*."""
        return f"{self.root}/{check_key(key)}"

    def _find(self, key: str) -> Revision | None:
        """The revision the object is at, or None."""
        try:
            return self.read(key).revision
        except Missing:
            return None

    def _write(self, key: str, data: bytes) -> Revision:
        """Writes without looking. The caller holds the lock."""
        path = self._path(key)
        with translated():
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.fs.pipe_file(path, data)
        return _revision_of(data)


def _revision_of(data: bytes) -> Revision:
    """The revision of an object that holds *data*."""
    return Revision(sha256(data).hexdigest())
