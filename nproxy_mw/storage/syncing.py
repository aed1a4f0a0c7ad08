"""Several files that are brought to the disk at the same time.

An fsync ends with a command to the disk to store what it holds. One such command serves all who wait at that moment, so
files that are waited for together take hardly longer than one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import repeat

_THREADS = 16
"""They only wait for the disk. More files than that take turns."""


def sync_together(descriptors: Sequence[int]) -> None:
    """Returns once all of these open files and folders are on the disk, and none is waited for any longer.

    Raises:
        OSError: one of them may not be on the disk.
    """
    if not descriptors:
        return
    first, *others = descriptors
    try:
        begun = list(map(_threads(os.getpid()).submit, repeat(os.fsync), others))
    except RuntimeError:  # the interpreter ends, and begins nothing in another thread
        list(map(os.fsync, descriptors))
        return
    try:
        os.fsync(first)
    finally:
        failures = list(map(Future.exception, begun))  # waits for each
    for failure in filter(None, failures):
        raise failure


@lru_cache(maxsize=1)
def _threads(process: int) -> ThreadPoolExecutor:
    """The threads of this *process*: those of its parent are not there after a fork."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="disk")
