"""Several files that are waited for together: all are on the disk afterwards, or an error says that they are not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nproxy_mw.storage.syncing import sync_together

PATIENCE = 30.0


@pytest.fixture
def descriptors(tmp_path: Path) -> Iterator[list[int]]:
    """Four open files."""
    opened = [os.open(tmp_path / str(number), os.O_WRONLY | os.O_CREAT) for number in range(4)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def watch(monkeypatch: pytest.MonkeyPatch, descriptors: list[int], sync: object) -> None:
    """Replaces fsync for these files alone: other threads of the tests go on."""
    real = os.fsync

    def call(descriptor: int) -> None:
        (sync if descriptor in descriptors else real)(descriptor)  # type: ignore[operator]

    monkeypatch.setattr(os, "fsync", call)


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_each_is_brought_to_the_disk_once(monkeypatch: pytest.MonkeyPatch, descriptors: list[int], count: int) -> None:
    """However many there are."""
    seen: list[int] = []
    watch(monkeypatch, descriptors, seen.append)
    sync_together(descriptors[:count])
    assert sorted(seen) == sorted(descriptors[:count])


def test_all_are_waited_for_at_the_same_time(monkeypatch: pytest.MonkeyPatch, descriptors: list[int]) -> None:
    """None ends before all have begun."""
    all_begun = threading.Barrier(len(descriptors))
    watch(monkeypatch, descriptors, lambda _: all_begun.wait(PATIENCE))
    sync_together(descriptors)


@pytest.mark.parametrize("failing", range(4))
def test_one_that_fails_is_an_error_when_all_have_ended(
    monkeypatch: pytest.MonkeyPatch, descriptors: list[int], failing: int
) -> None:
    """Whichever it is; the others are not left behind, so that their files can be closed."""
    failed, ended = threading.Event(), []

    def sync(descriptor: int) -> None:
        if descriptor == descriptors[failing]:
            failed.set()
            raise OSError(errno.EIO, "EIO")
        assert failed.wait(PATIENCE)
        ended.append(descriptor)

    watch(monkeypatch, descriptors, sync)
    with pytest.raises(OSError, match="EIO"):
        sync_together(descriptors)
    assert sorted(ended) == sorted({*descriptors} - {descriptors[failing]})


AT_THE_END = """
import atexit, os, sys
from nproxy_mw.storage.syncing import sync_together

files = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in sys.argv[1:]]
sync_together(files)
real, seen = os.fsync, []
os.fsync = lambda number: (seen.append(number), real(number))
atexit.register(lambda: (sync_together(files), print(sorted(seen) == sorted(files))))
"""
IN_A_CHILD = """
import os, sys
from nproxy_mw.storage.syncing import sync_together

files = [os.open(path, os.O_WRONLY | os.O_CREAT) for path in sys.argv[1:]]
sync_together(files)
child = os.fork()
sync_together(files)
if not child:
    print(True, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("program", [AT_THE_END, IN_A_CHILD], ids=["at the end of the interpreter", "in a fork"])
def test_works_where_its_threads_are_not(program: str, tmp_path: Path) -> None:
    """What is written last, and by a process that was forked after the threads began, reaches the disk, too."""
    paths = [str(tmp_path / str(number)) for number in range(3)]
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, *paths],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (run.stdout, run.returncode) == ("True\n", 0), run.stderr
