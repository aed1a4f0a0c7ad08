"""What lies in the folder of a cache: the things that are kept, each with its files, its size and its last use.

A folder holds a part for each upstream, and a part a folder for each kind of thing::

    <part>/packuments/@scope/name.entry, name.<body>   one thing: what is known of a document, and its text
    <part>/tarballs/@scope/name+1.0.0.tgz              one thing with name+1.0.0.tgz.seal
    <part>/decisions/acme/@scope/name.decision
    <part>/.spool/                                     what is under way, and locks

The files of a thing have its name and an ending of their own: a folder for each thing would cost as much as a file.
Names that begin with a dot belong to no thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

TARBALLS, DECISIONS, SPOOL = "tarballs", "decisions", ".spool"
SEAL = ".seal"
BLOCK = 4096  # bytes: what a small file takes on most disks


class CacheFile(NamedTuple):
    """A file: its *path*, the bytes that it takes on the disk, and when it was last written or read, in Unix time."""

    path: str
    size: int
    used: float


class Unit(Struct):
    """A thing that is kept or removed as a whole. It was used when one of its files was.

    *package* is what it is about, where it is about one.
    """

    kind: str
    package: str
    files: list[CacheFile] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.size for file in self.files)

    @property
    def used(self) -> float:
        """When it was last used, in seconds of Unix time."""
        return max(file.used for file in self.files)


def units_in(root: Path) -> list[Unit]:
    """Returns all things that are kept below *root*, of all upstreams."""
    found: dict[tuple[str, str], Unit] = {}
    for part in _folders(root):
        for kind in _folders(part):
            for file in files_in(kind):
                key = f"{kind.name}/{file.path[len(str(kind)) + 1 :]}"
                unit = found.setdefault((part.name, unit_of(key)), Unit(*described(key)))
                unit.files.append(file)
    return list(found.values())


def unit_of(key: str) -> str:
    """Returns the name of the thing that the object under *key*, below the folder of an upstream, belongs to."""
    return key.removesuffix(SEAL) if key.startswith(f"{TARBALLS}/") else key.rpartition(".")[0]


def described(key: str) -> tuple[str, str]:
    """Returns the kind of the object under *key*, and the package that it is about."""
    kind, _, path = key.partition("/")
    name = path.partition("+")[0] if kind == TARBALLS else path.rpartition(".")[0]
    return kind, name.partition("/")[2] if kind == DECISIONS else name  # behind the organization


def files_in(folder: Path) -> Iterator[CacheFile]:
    """Yields the files below *folder*, except those in folders below it whose names begin with a dot."""
    pending = [str(folder)]
    while pending:
        try:
            entries = os.scandir(pending.pop())
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        pending.append(entry.path)
                    continue
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # removed meanwhile
                    continue
                # A file under way has two names for a moment.
                size = state.st_blocks * 512 // max(state.st_nlink, 1)
                yield CacheFile(entry.path, size, max(state.st_atime, state.st_mtime))


def spools_in(root: Path) -> list[Path]:
    """Returns the folders for what is under way, one for each upstream."""
    return [part / SPOOL for part in _folders(root)]


def _folders(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
