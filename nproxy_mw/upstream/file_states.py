"""By what a file that was verified is known again: a change of its bytes changes its state."""

from __future__ import annotations

import os
from typing import BinaryIO, NamedTuple


class FileState(NamedTuple):
    """A file as it was when it was verified."""

    inode: int
    modified: int  # nanoseconds
    size: int


def state_of(file: BinaryIO) -> FileState | None:
    """Returns the state of a file of the operating system; None for another one, for which its storage answers."""
    try:
        return state_at(file.fileno())
    except OSError:
        return None


def state_at(path: str | int) -> FileState | None:
    """Returns the state of the file at *path*, or of the open descriptor that it is; None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a descriptor, too
    except OSError:
        return None
    return FileState(status.st_ino, status.st_mtime_ns, status.st_size)
