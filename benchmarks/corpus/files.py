"""A corpus in a folder: ``index.json``, ``packuments/`` with four files for each, ``tarballs/``."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks.corpus.documents import abbreviated
from benchmarks.errors import CannotRun

ORIGIN = "http://127.77.1.1:48700"
"""Where the upstream serves a corpus, so that tarball URLs can be stored ready made. All of 127.0.0.0/8 is the loopback
on Linux, and nothing else is likely to listen on this address."""

EDITION = 1
"""Grows when generated corpora change, so that those of before are not used any more."""


@dataclass(frozen=True, slots=True)
class Packument:
    """One packument. *sizes* are bytes of ``full``, ``full.gz``, ``abbreviated`` and ``abbreviated.gz``."""

    name: str
    file: str
    etag: str
    versions: int
    sizes: Mapping[str, int]

    @property
    def target(self) -> str:
        """The path that npm asks for."""
        return "/" + self.name.replace("/", "%2f")


@dataclass(frozen=True, slots=True)
class Tarball:
    """One tarball, at *path* below the registry; *size* in bytes."""

    path: str
    file: str
    size: int
    sha1: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Packuments by name, tarballs by path, and the dependencies of an application that uses them all."""

    folder: Path
    origin: str
    packuments: Mapping[str, Packument]
    tarballs: Mapping[str, Tarball]
    dependencies: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Returns the corpus in *folder*.

        Raises:
            CannotRun: there is none.
        """
        try:
            index = json.loads((folder / "index.json").read_bytes())
            if index["edition"] != EDITION:
                raise ValueError("It was made by another edition of the benchmarks.")
            packuments = {row["name"]: Packument(**row) for row in index["packuments"]}
            tarballs = {row["path"]: Tarball(**row) for row in index["tarballs"]}
            return cls(folder, index["origin"], packuments, tarballs, index["dependencies"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CannotRun(f"{folder} is not a corpus: make one with python -m benchmarks corpus.") from error

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of the origin."""
        parts = urlsplit(self.origin)
        return parts.hostname or "", parts.port or 80

    def packument_near(self, size: int) -> Packument:
        """Returns the packument whose full form is nearest to *size* bytes."""
        return min(self.packuments.values(), key=lambda one: abs(one.sizes["full"] - size))

    def tarball_near(self, size: int) -> Tarball:
        """Returns the tarball that is nearest to *size* bytes."""
        return min(self.tarballs.values(), key=lambda one: abs(one.size - size))

    def read(self, packument: Packument, form: str) -> bytes:
        """Returns the bytes of a packument in one of the forms that `Packument.sizes` names."""
        return (self.folder / "packuments" / f"{packument.file}.{form}").read_bytes()

    def read_tarball(self, tarball: Tarball) -> bytes:
        """Returns the bytes of a tarball."""
        return (self.folder / "tarballs" / tarball.file).read_bytes()


class Writer:
    """Writes a corpus that is served at *origin*. It can be loaded once `finish` has been called."""

    def __init__(self, folder: Path, origin: str = ORIGIN) -> None:
        self.folder, self.origin = folder, origin
        self._packuments: list[Packument] = []
        self._tarballs: list[Tarball] = []
        for below in ("packuments", "tarballs"):
            (folder / below).mkdir(parents=True, exist_ok=True)

    def add_packument(self, full: bytes) -> None:
        """Writes a packument in all its forms. *full* is its full form as JSON, with URLs at the origin."""
        document: dict[str, Any] = json.loads(full)
        file = document["name"].replace("/", "+")
        short = json.dumps(abbreviated(document), separators=(",", ":")).encode()
        forms = {"full": full, "full.gz": _gzip(full), "abbreviated": short, "abbreviated.gz": _gzip(short)}
        for form, data in forms.items():
            (self.folder / "packuments" / f"{file}.{form}").write_bytes(data)
        sizes = {form: len(data) for form, data in forms.items()}
        etag = hashlib.sha256(full).hexdigest()[:20]
        self._packuments.append(Packument(document["name"], file, etag, len(document["versions"]), sizes))

    def add_tarball(self, path: str, data: bytes) -> None:
        """Writes a tarball."""
        file = path.lstrip("/").replace("/", "+")
        (self.folder / "tarballs" / file).write_bytes(data)
        self._tarballs.append(Tarball(path, file, len(data), hashlib.sha1(data).hexdigest()))  # noqa: S324

    def finish(self, dependencies: Mapping[str, str]) -> None:
        """Writes the index."""
        index = {
            "edition": EDITION,
            "origin": self.origin,
            "packuments": _rows(self._packuments),
            "tarballs": _rows(self._tarballs),
            "dependencies": dict(dependencies),
        }
        (self.folder / "index.json").write_text(json.dumps(index, indent=1))


def _rows(entries: Iterable[Packument | Tarball]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)
