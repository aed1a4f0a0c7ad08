"""What tests keep under memory://: every store of a process shares one dictionary of files and one list of folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fsspec.implementations.memory import MemoryFileSystem


@contextmanager
def forgetting_memory() -> Iterator[None]:
    """Removes the files and the folders that a block makes, so that no later call walks them."""
    files, folders = set(MemoryFileSystem.store), set(MemoryFileSystem.pseudo_dirs)
    yield
    for path in set(MemoryFileSystem.store) - files:
        del MemoryFileSystem.store[path]
    MemoryFileSystem.pseudo_dirs[:] = [path for path in MemoryFileSystem.pseudo_dirs if path in folders]
