"""Where the files of tests lie: in memory where there is room, for a disk is waited for at each fsync."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system of Linux
_NAME = "nproxy-tests-"  # the number of the process follows
_ROOM = 6 * 2**30
"""What all of them need, several times."""


def use_memory() -> None:
    """Makes a folder there the one for temporary files, of this process and all that it starts, until it ends.

    ``TMPDIR`` has its way: with ``TMPDIR=/tmp`` the files lie on the disk, and stay to be looked at.
    """
    if "TMPDIR" in os.environ or not _has_room():
        return
    _forget_the_dead()
    folder = tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_MEMORY)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    # After all work that is done at the end of a process: it may write to a store once more.
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=-100)


def _forget_the_dead() -> None:
    """Removes what runs left that were killed: it would stay in memory."""
    for folder in _MEMORY.glob(f"{_NAME}*"):
        number = folder.name.removeprefix(_NAME).partition("-")[0]
        if number.isdigit() and not Path("/proc", number).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _has_room() -> bool:
    try:
        available = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
        return available is not None and min(int(available[1]) * 1024, shutil.disk_usage(_MEMORY).free) >= _ROOM
    except OSError:
        return False
