"""Eviction: the cache stays within its bound, and what is used stays longest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nproxy_mw.upstream.eviction import ABANDONED, LOW, Eviction
from nproxy_mw.upstream.growing import HostLock

BLOCK = 4096


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten files of ten blocks each; file 0 was used longest ago."""
    for number in range(10):
        file = tmp_path / "tarballs" / f"p{number}" / "a.tgz"
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes(10 * BLOCK))
        os.utime(file, (1000 + number, 1000 + number))
    return tmp_path


def left(root: Path) -> list[int]:
    return sorted(int(file.parent.name[1:]) for file in root.rglob("*.tgz"))


def eviction(root: Path, bound: int) -> Eviction:
    return Eviction(root, root / ".spool", bound=bound, now=lambda: 2000.0)


def test_cache_within_its_bound_is_left_alone(root: Path) -> None:
    """Nothing is removed before the bound is reached, and the size is known afterwards."""
    keeper = eviction(root, 200 * BLOCK)
    assert keeper.run() == 0
    assert left(root) == list(range(10))
    assert keeper.size == 100 * BLOCK


def test_oldest_go_first_until_there_is_room(root: Path) -> None:
    """Over the bound, what was used longest ago goes until a tenth of the bound is free."""
    bound = 60 * BLOCK
    keeper = eviction(root, bound)
    assert keeper.run() == 50 * BLOCK
    assert left(root) == [5, 6, 7, 8, 9]
    assert keeper.size <= bound * LOW


def test_what_was_read_lately_stays(root: Path) -> None:
    """A read counts as use, not only a write."""
    os.utime(root / "tarballs" / "p0" / "a.tgz", (5000, 1000))
    eviction(root, 60 * BLOCK).run()
    assert 0 in left(root)


def test_one_process_cleans_up_at_a_time(root: Path) -> None:
    """While another process is at it, nothing is done."""
    lock = HostLock.take(root / ".spool" / "locks" / "eviction")
    assert lock is not None
    assert eviction(root, 60 * BLOCK).run() == 0
    lock.release()
    assert eviction(root, 60 * BLOCK).run() > 0


def test_what_killed_processes_left_goes(root: Path) -> None:
    """Old files in the spool folder are nobody's; young ones and locks stay."""
    spool = root / ".spool"
    (spool / "locks").mkdir(parents=True)
    for name, age in (("old", ABANDONED + 1), ("young", 10.0), ("locks/old", ABANDONED + 1)):
        (spool / name).write_bytes(b"x")
        os.utime(spool / name, (2000 - age, 2000 - age))
    eviction(root, 200 * BLOCK).run()
    assert sorted(str(file.relative_to(spool)) for file in spool.rglob("*") if file.is_file()) == [
        "locks/eviction", "locks/old", "young",
    ]  # fmt: skip


def test_clean_ups_are_not_too_often(root: Path) -> None:
    """Each commit asks for one; one a minute is enough."""
    seconds = [0.0]
    keeper = Eviction(root, root / ".spool", bound=1, monotonic=lambda: seconds[0])
    runs: list[None] = []
    keeper.run = lambda: runs.append(None) or 0  # type: ignore[method-assign]
    for now in (1.0, 2.0, 59.0, 61.5, 62.0):
        seconds[0] = now
        keeper.soon()
    assert len(runs) == 2
