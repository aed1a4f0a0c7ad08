"""Eviction: the cache stays within its bound, and what is used stays longest."""

from __future__ import annotations

import os
import threading
from multiprocessing import get_context
from pathlib import Path

import pytest

from nproxy_mw.errors import Missing
from nproxy_mw.upstream.cache_folder import NOTED, CacheFolder
from nproxy_mw.upstream.cache_units import BLOCK, files_in, units_in
from nproxy_mw.upstream.eviction import ABANDONED, LOW, Eviction, Tally
from nproxy_mw.upstream.growing import Growing, HostLock, lock_of

PART = "0123456789abcdef"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten tarballs of nine blocks, with seals of one block; tarball 0 was used longest ago."""
    for number in range(10):
        for ending, blocks in ((".tgz", 9), (".tgz.seal", 1)):
            file = tmp_path / PART / "tarballs" / f"p{number}+1.0.0{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(blocks * BLOCK))
            os.utime(file, (1000 + number, 1000 + number))
    return tmp_path


def left(root: Path, ending: str = ".tgz") -> list[int]:
    return sorted(int(file.name[1]) for file in (root / PART / "tarballs").glob(f"*{ending}"))


def eviction(root: Path, bound: int) -> Eviction:
    return Eviction(root, bound=bound, now=lambda: 2000.0)


def size_of(root: Path) -> int:
    return sum(unit.size for unit in units_in(root))


def test_cache_within_its_bound_is_left_alone(root: Path) -> None:
    """Nothing is removed before the bound is reached, and the size is known afterwards."""
    keeper = eviction(root, 200 * BLOCK)
    assert keeper.run() == 0
    assert left(root) == list(range(10))
    assert keeper.tally.read() == 100 * BLOCK


def test_oldest_go_first_until_there_is_room(root: Path) -> None:
    """Over the bound, what was used longest ago goes until a tenth of the bound is free, each with its seal."""
    bound = 60 * BLOCK
    keeper = eviction(root, bound)
    assert keeper.run() == 50 * BLOCK
    assert left(root) == left(root, ".seal") == [5, 6, 7, 8, 9]
    size = keeper.tally.read()
    assert size is not None
    assert size <= bound * LOW


def test_packument_goes_as_a_whole(tmp_path: Path) -> None:
    """An entry that was just written keeps its body."""
    folder = tmp_path / PART / "packuments"
    (folder / "@types").mkdir(parents=True)
    for name, used in (("old", 1000), ("@types/hot.js", 1000), ("hot", 1000), ("cold", 1500)):
        for ending in ("entry", "0123"):
            file = folder / f"{name}.{ending}"
            file.write_bytes(bytes(BLOCK))
            os.utime(file, (used, used))
    os.utime(folder / "@types" / "hot.js.entry", (1900, 1900))
    eviction(tmp_path, 6 * BLOCK).run()
    assert sorted(file.name for file in folder.rglob("*.*")) == [
        "cold.0123",
        "cold.entry",
        "hot.js.0123",
        "hot.js.entry",
    ]


def test_all_upstreams_share_the_bound(root: Path) -> None:
    """What a former upstream left goes first, because nobody uses it."""
    other = root / "fedcba9876543210" / "packuments" / "lodash.entry"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"{}")
    os.utime(other, (10, 10))
    eviction(root, 101 * BLOCK).run()
    assert not other.exists()
    assert left(root) == list(range(1, 10))


def test_what_was_read_lately_stays(root: Path) -> None:
    """A read counts as use, not only a write, and the object's revision does not change."""
    keeper = Eviction(root, bound=60 * BLOCK)
    folder = CacheFolder(root / PART, keeper)
    before = folder.read("tarballs/p0+1.0.0.tgz").revision
    keeper.run()
    assert 0 in left(root)
    assert folder.read("tarballs/p0+1.0.0.tgz").revision == before


def test_reads_are_noted_now_and_then(root: Path) -> None:
    """A file that is read all the time is not written to all the time."""
    folder = CacheFolder(root / PART, eviction(root, 60 * BLOCK))
    folder.open("tarballs/p0+1.0.0.tgz").close()
    file = root / PART / "tarballs" / "p0+1.0.0.tgz"
    noted = file.stat().st_atime_ns
    folder.open("tarballs/p0+1.0.0.tgz").close()
    assert file.stat().st_atime_ns == noted
    os.utime(file, (file.stat().st_atime - NOTED - 1, 1000))
    folder.open("tarballs/p0+1.0.0.tgz").close()
    assert file.stat().st_atime_ns >= noted


def test_what_is_being_read_is_read_to_its_end(root: Path) -> None:
    """A tarball that is removed under its reader stays whole for it, and counts as not kept for the next one."""
    folder = CacheFolder(root / PART, eviction(root, BLOCK))
    with folder.open("tarballs/p0+1.0.0.tgz") as file:
        head = file.read(BLOCK)
        folder.eviction.run()
        assert left(root) == []
        assert len(head + file.read()) == 9 * BLOCK
    with pytest.raises(Missing):
        folder.open("tarballs/p0+1.0.0.tgz")


def test_one_process_cleans_up_at_a_time(root: Path) -> None:
    """While another process is at it, nothing is done."""
    keeper = eviction(root, 60 * BLOCK)
    lock = HostLock.take(root / ".eviction" / "lock")
    assert lock is not None
    assert keeper.run() == 0
    lock.release()
    assert keeper.run() > 0


def test_what_killed_processes_left_goes(root: Path) -> None:
    """A file under way goes when nobody holds its lock; one that is written stays, and counts as it will be."""
    spool = root / PART / ".spool"
    (spool / "locks").mkdir(parents=True)
    left, written = (spool / name for name in ("0a1" + "0" * 29, "0b2" + "0" * 29))
    lock = HostLock.take(lock_of(written))
    assert lock is not None
    for file in (left, written):
        Growing.begin(file, 50 * BLOCK).write(b"x")
    for name, age in (("old.state", ABANDONED + 1), ("locks/old", ABANDONED + 1)):
        (spool / name).write_bytes(b"x")
        os.utime(spool / name, (2000 - age, 2000 - age))
    keeper = eviction(root, 200 * BLOCK)
    keeper.run()
    names = {str(file.relative_to(spool)) for file in spool.rglob("*") if file.is_file() and file.suffix != ".state"}
    assert names == {written.name, "locks/0a1", "locks/0b2", "locks/old"}
    assert not (spool / "old.state").exists()
    size = keeper.tally.read()
    assert size is not None
    assert 150 * BLOCK < size < 155 * BLOCK
    lock.release()


@pytest.mark.parametrize("text", [None, b"", b"x", b"12x"])
def test_number_that_is_lost_makes_somebody_look(root: Path, text: bytes | None) -> None:
    """A cache of an older version, or a torn file: the size is counted anew at the next write."""
    keeper = eviction(root, 200 * BLOCK)
    if text is not None:
        keeper.tally.path.parent.mkdir()
        keeper.tally.path.write_bytes(text)
    assert Tally(keeper.tally.path).add(BLOCK) == float("inf")
    CacheFolder(root / PART, keeper).create("decisions/acme/lodash.decision", b"{}")
    wait_for(keeper)
    assert keeper.tally.read() == 101 * BLOCK


def wait_for(keeper: Eviction) -> None:
    """Lets a clean-up that is under way end."""
    for thread in threading.enumerate():
        if thread.name == "eviction":
            thread.join(30)
    assert keeper.tally.read() is not None


def write(root: Path, bound: int, worker: int, count: int) -> None:
    """What a worker does: it keeps packuments, and nothing else."""
    keeper = Eviction(root, bound=bound)
    folder = CacheFolder(root / PART, keeper)
    for number in range(count):
        folder.create(f"packuments/p{worker}-{number}.entry", bytes(100))
        folder.create(f"packuments/p{worker}-{number}.body", bytes(5 * BLOCK))
    wait_for(keeper)


def test_bound_holds_for_packuments_of_many_processes_and_after_a_restart(tmp_path: Path) -> None:
    """Three processes write five times the bound, one after a restart of all; what is left is the newest."""
    bound, count = 400 * BLOCK, 120
    context = get_context("spawn")
    for generation in range(2):
        workers = [
            context.Process(target=write, args=(tmp_path, bound, 10 * generation + number, count))
            for number in range(3)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
        assert size_of(tmp_path) <= bound
    newest = [int(unit.files[0].path.split("/p1")[1][0]) for unit in units_in(tmp_path) if "/p1" in unit.files[0].path]
    assert len(newest) > len(units_in(tmp_path)) // 2
    assert list(files_in(tmp_path / ".eviction"))
