"""A storage that fails at a chosen moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.faults import Faulty


@pytest.fixture
def storage() -> FsspecStorage:
    return FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))


def work(storage: Storage) -> None:
    """Every verb, once."""
    first = storage.create("a", b"1")
    second = storage.replace("a", b"2", first)
    storage.read("a")
    storage.read_if_changed("a", second)
    with storage.open("a") as stream:
        stream.read()
    list(storage.list())
    storage.delete("a")


def state(storage: Storage) -> bytes | None:
    try:
        return storage.read("a").data
    except Missing:
        return None


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        pytest.param("fail", [None, b"1", b"2", b"2", b"2", b"2", b"2", None], id="fail"),
        pytest.param("lost-answer", [b"1", b"2", b"2", b"2", b"2", b"2", None, None], id="lost-answer"),
        pytest.param("truncate", [None, b"1", b"2", b"2", b"2", b"2", b"2", None], id="truncate"),
    ],
)
def test_each_operation_is_struck_in_turn(kind: str, left: list[bytes | None]) -> None:
    """A sweep strikes every verb once, before or after it is carried out, and then ends."""
    found = []
    for at in count(1):
        storage = FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))
        faulty = Faulty(storage, at, kind)  # type: ignore[arg-type]
        try:
            work(faulty)
        except StorageUnavailable:
            assert faulty.struck
        else:
            assert not faulty.struck
        found.append(state(storage))
        if not faulty.struck:
            break
    assert found == left


def test_storage_may_stay_broken(storage: FsspecStorage) -> None:
    """A fault that lasts strikes the operations that follow, too."""
    faulty = Faulty(storage, 2, times=2)
    faulty.create("a", b"")
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            faulty.read("a")
    assert faulty.read("a").data == b""
    assert faulty.operations == 4


def test_others_act_meanwhile(storage: FsspecStorage) -> None:
    """A delayed operation is carried out after what happens meanwhile."""
    storage.create("a", b"1")
    faulty = Faulty(storage, 1, "delay", meanwhile=lambda: storage.delete("a"))
    with pytest.raises(Missing):
        faulty.read("a")


def test_stream_breaks_off_half_way(storage: FsspecStorage) -> None:
    """A truncated stream gives half of its bytes, and then an error in the place of an end."""
    storage.create("a", b"0123456789")
    with Faulty(storage, 1, "truncate").open("a") as stream:
        assert stream.read(3) + stream.read(100) == b"01234"
        with pytest.raises(StorageUnavailable):
            stream.read(100)


KILLED = """
import sys
from nproxy_mw.storage import LocalStorage
from nproxy_mw.testing.faults import Faulty
storage = Faulty(LocalStorage(sys.argv[1]), 2, "kill")
storage.create("a", b"1")
storage.create("b", b"1")
print("alive")
"""


def test_process_is_killed_before_the_operation(tmp_path: Path) -> None:
    """A process that is killed at its second operation has done the first, and no more."""
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a"]
