"""A corpus that is generated, so that a benchmark downloads nothing. The same count gives the same bytes everywhere."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus.archives import archive
from benchmarks.corpus.documents import packument, tarball_path, versions_of
from benchmarks.corpus.files import ORIGIN, Corpus, Writer
from benchmarks.corpus.sizes import (
    BIG,
    BIG_TARBALL,
    MIDDLE,
    PACKUMENTS,
    SMALL,
    SMALL_TARBALL,
    TARBALLS,
    sizes,
)

ROOTS = 20
"""Packages that the application names itself; all others are dependencies of dependencies."""


def name_of(number: int) -> str:
    """Returns the name of a package. Every fourth has a scope, about as many as in the recorded tree."""
    return f"@open/package-{number:04}" if number % 4 == 3 else f"package-{number:04}"


def dependencies_of(number: int, count: int) -> dict[str, str]:
    """Returns what a package depends on: two that no other needs, so that all are reached, and a shared one."""
    own = (ROOTS + 2 * number, ROOTS + 2 * number + 1, ROOTS + number + 1)
    return {name_of(other): "^1.0.0" for other in own if other < count}


def generate(folder: Path, count: int, origin: str = ORIGIN) -> Corpus:
    """Writes a corpus of *count* packages, each with one tarball, into *folder*, and returns it."""
    writer = Writer(folder, origin)
    documents = sizes(PACKUMENTS, count, (SMALL, MIDDLE, BIG), "packuments")
    tarballs = sizes(TARBALLS, count, (SMALL_TARBALL, BIG_TARBALL), "tarballs")
    for number in range(count):
        _add(writer, number, count, documents[number], tarballs[number])
    writer.finish({name_of(number): "^1.0.0" for number in range(min(ROOTS, count))})
    return Corpus.load(folder)


def _add(writer: Writer, number: int, count: int, document_size: int, tarball_size: int) -> None:
    name, dependencies = name_of(number), dependencies_of(number, count)
    newest = versions_of(document_size)[-1]
    tarball = archive(name, newest, tarball_size, dependencies)
    writer.add_packument(packument(name, document_size, writer.origin, dependencies, tarball))
    writer.add_tarball(tarball_path(name, newest), tarball)
