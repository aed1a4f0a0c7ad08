"""Periodic work: in a thread of each process's own, and once more when a process ends, whichever way it does."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nproxy_mw.background import Periodic, finish

WORK = "from nproxy_mw.background import Periodic; Periodic(lambda: print('written'), 3600, name='test').ensure()"


def test_work_is_done_again_and_again() -> None:
    """The thread begins once in a process."""
    twice = threading.Semaphore(0)
    periodic = Periodic(twice.release, 0.001, name="test")
    assert [periodic.ensure(), periodic.ensure()] == [True, False]
    for _ in range(2):
        assert twice.acquire(timeout=60)


def test_finish_is_of_this_process() -> None:
    """What another process began is that one's to do: after a fork, it is in this memory, too."""
    done: list[str] = []
    own = Periodic(lambda: done.append("own"), 3600, name="own")
    other = Periodic(lambda: done.append("other"), 3600, name="other")
    own.ensure()
    other.ensure()
    other.owner = os.getpid() + 1
    finish()
    assert done == ["own"]


def test_without_an_interval_nothing_begins() -> None:
    """The owner of the work calls it."""
    done: list[int] = []
    Periodic(lambda: done.append(1), None, name="test").ensure()
    finish()
    assert done == []


def test_interpreter_that_ends() -> None:
    """By itself, at the end of a program."""
    found = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "written\n"


def _work(path: Path) -> None:
    Periodic(lambda: path.write_text("written"), 3600, name="test").ensure()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_process_of_multiprocessing(tmp_path: Path, method: str) -> None:
    """It ends past atexit, as granian's workers do."""
    path = tmp_path / "done"
    process = multiprocessing.get_context(method).Process(target=_work, args=(path,))
    process.start()
    process.join(60)
    assert (process.exitcode, path.read_text()) == (0, "written")
