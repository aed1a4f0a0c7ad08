"""What the C library keeps of memory that was freed: little."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # malloc.h

_ARENAS = 2
"""Python's threads take turns, so they are not in each other's way. By itself glibc has eight for each processor."""

_LARGE = 512 * 1024
"""Bytes from which a buffer is a mapping of its own, which is gone when it is freed. Parts of tarballs are smaller."""

_OF_OPERATORS = ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def give_back_memory(environ: Mapping[str, str] = os.environ) -> bool:
    """Makes glibc give back the memory of large buffers, in this process and those that it forks. Whether it does.

    By itself it raises this limit, up to 32 MiB, with each such buffer that is freed, and then keeps twice as much in
    each arena. A few threads that read packuments of 10 MB together keep hundreds of megabytes that way. Where another
    C library is used, or *environ* has variables about it, nothing is changed.
    """
    if any(name in environ for name in _OF_OPERATORS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_ARENA_MAX, _ARENAS) and mallopt(_MMAP_THRESHOLD, _LARGE))
