"""Storage in a folder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support.patching import patch_here

from nproxy_mw.errors import Changed, Exists, StorageUnavailable
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.testing import StorageContract


class TestLocalStorage(StorageContract):
    """The contract, between threads and processes."""

    @pytest.fixture
    def storage(self, tmp_path: Path) -> LocalStorage:
        return LocalStorage(tmp_path / "store")

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], LocalStorage]:
        return partial(LocalStorage, tmp_path / "store")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def files(storage: LocalStorage) -> list[str]:
    """Everything that lies in the storage's folder, but for locks."""
    found = (path.relative_to(storage.root) for path in storage.root.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".locks")


@pytest.mark.parametrize(
    ("number", "word"),
    [
        pytest.param(errno.ENOSPC, "full", id="full"),
        pytest.param(errno.EDQUOT, "quota", id="quota"),
        pytest.param(errno.EROFS, "read-only", id="read-only"),
        pytest.param(errno.EACCES, "mode", id="no access"),
        pytest.param(errno.EIO, "errors", id="broken disk"),
        pytest.param(errno.ELOOP, "just now", id="anything else"),
    ],
)
@pytest.mark.parametrize("step", ["fsync", "utime"])
def test_write_that_fails_says_why_and_leaves_nothing(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int, word: str, step: str
) -> None:
    """A full or broken disk is StorageUnavailable with a sentence; the old object and no other file stays."""
    revision = storage.create("a/b", b"old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    patch_here(monkeypatch, os, step, refuse)
    for write in (lambda: storage.create("a/c", b"new"), lambda: storage.replace("a/b", b"new", revision)):
        with pytest.raises(StorageUnavailable, match=word) as caught:
            write()
        assert caught.value.retry_after >= 1
        assert isinstance(caught.value.__cause__, OSError)
    assert files(storage) == ["a/b"]
    assert storage.read("a/b").data == b"old"


def test_write_to_a_full_disk_is_refused_whole(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that do not fit leave no temporary file behind."""
    monkeypatch.setattr("nproxy_mw.storage.disk._open_new", lambda *_: os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(StorageUnavailable, match="full"):
        storage.create("a", b"x" * 100_000)
    assert files(storage) == []


def test_losing_write_leaves_no_file(storage: LocalStorage) -> None:
    """Neither a lost create nor a lost replace leaves a temporary file."""
    storage.create("a/b", b"old")
    with pytest.raises(Exists):
        storage.create("a/b", b"new")
    with pytest.raises(Changed):
        storage.replace("a/b", b"new", storage.create("a/c", b""))
    assert files(storage) == ["a/b", "a/c"]


def test_create_that_loses_at_the_last_step_leaves_no_file(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is taken while the bytes are being written is still not overwritten."""
    real = os.fsync

    def take_the_key(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", real)
        storage.create("a/b", b"theirs")
        real(descriptor)

    patch_here(monkeypatch, os, "fsync", take_the_key)
    with pytest.raises(Exists):
        storage.create("a/b", b"ours")
    assert storage.read("a/b").data == b"theirs"
    assert files(storage) == ["a/b"]


def test_leftovers_of_a_killed_process_are_no_objects(storage: LocalStorage) -> None:
    """Temporary files and locks are in no listing; old ones are swept, new ones may be in use."""
    storage.replace("a/b", b"2", storage.create("a/b", b"1"))
    (storage.root / "a" / ".new-0123").write_bytes(b"half")
    (storage.root / "a" / "not a key").write_bytes(b"")
    assert list(storage.list()) == ["a/b"]
    assert storage.sweep() == 0
    assert storage.sweep(older_than=-1.0) == 1
    assert files(storage) == ["a/b", "a/not a key"]


def test_objects_are_private_to_their_user(storage: LocalStorage) -> None:
    """Keys lie in the storage: no other user of the machine may read an object."""
    storage.create("a/keys.json", b"secret")
    assert (storage.root / "a/keys.json").stat().st_mode & 0o077 == 0
    assert (storage.root / "a").stat().st_mode & 0o077 == 0


def test_storage_that_nobody_wrote_to_is_empty(tmp_path: Path) -> None:
    """A folder that is not there yet lists as empty, and reading makes nothing."""
    storage = LocalStorage(tmp_path / "later")
    assert list(storage.list()) == []
    assert not storage.root.exists()


def test_storage_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is read once: a later change of the working directory moves nothing."""
    monkeypatch.chdir(tmp_path)
    storage = open_storage("store")
    monkeypatch.chdir("/")
    storage.create("a", b"1")
    assert (tmp_path / "store" / "a").read_bytes() == b"1"


KILLED = Path(__file__).parents[1] / "support" / "killed_storage.py"


@pytest.mark.parametrize("verb", ["create", "replace", "delete"])
def test_killed_writer_leaves_the_object_whole(tmp_path: Path, verb: str) -> None:
    """A writer killed before any one of its steps leaves the old object or the new one, and no lock."""
    done = subprocess.run(
        [sys.executable, KILLED, tmp_path, verb], check=True, capture_output=True, text=True, timeout=60
    )
    kills, old, new = map(int, done.stdout.split())
    assert kills >= 5
    assert old >= 1
    assert old + new == kills
