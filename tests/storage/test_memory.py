"""Storage in this process's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.storage import FsspecStorage, open_storage
from nproxy_mw.testing import StorageContract


class TestMemoryStorage(StorageContract):
    """The contract, between threads."""

    @pytest.fixture
    def storage(self) -> FsspecStorage:
        return FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))


class TestFsspecStorage(StorageContract):
    """The contract below a folder of a file system that other folders share."""

    @pytest.fixture
    def storage(self) -> FsspecStorage:
        fs = MemoryFileSystem(global_store=False, skip_instance_cache=True)
        fs.pipe_file("/some/where-else/a", b"")
        return FsspecStorage(fs, "some/where")


class TestFsspecStorageOnDisk(StorageContract):
    """The contract on another of fsspec's file systems, between threads."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> FsspecStorage:
        return FsspecStorage(LocalFileSystem(), str(tmp_path / "store"))


def test_url_names_one_storage_of_the_process() -> None:
    """Two openings of one URL are one storage; another name is another."""
    open_storage("memory://test-one-of-the-process").create("a", b"1")
    assert open_storage("memory://test-one-of-the-process").read("a").data == b"1"
    assert list(open_storage("memory://test-one").list()) == []
