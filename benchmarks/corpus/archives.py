"""Tarballs as npm packs them, of a wanted size. Pure."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Iterator, Mapping

_BLOCK = 512  # of tar
_ENDING = 2 * _BLOCK
_LARGEST_FILE = 256 * 1024
_OVERHEAD = 400  # bytes that headers and package.json have after compression, about


def archive(name: str, version: str, size: int, dependencies: Mapping[str, str]) -> bytes:
    """Returns a .tgz of about *size* bytes whose package.json has these fields.

    Its files are random bytes, as compressed data is. The same arguments give the same bytes.
    """
    manifest = json.dumps({"name": name, "version": version, "main": "index.js", "dependencies": dict(dependencies)})
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, "package.json", manifest.encode())
        _add(tar, "index.js", b"module.exports = 1;\n")
        filler = random.Random(f"{name}@{version}").randbytes(max(0, size - _OVERHEAD))
        for number, piece in enumerate(_pieces(filler)):
            _add(tar, f"lib/{number}.bin", piece)
    # tar pads to 10 kB; a small package would be all padding.
    packed = raw.getvalue().rstrip(b"\0")
    packed += bytes(-len(packed) % _BLOCK + _ENDING)
    return gzip.compress(packed, compresslevel=1, mtime=0)


def _pieces(filler: bytes) -> Iterator[bytes]:
    """Yields files like those of a package: a handful, none very large."""
    step = min(_LARGEST_FILE, max(4096, len(filler) // 8))
    for start in range(0, len(filler), step):
        yield filler[start : start + step]


def _add(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(f"package/{path}")
    entry.size = len(data)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(data))
