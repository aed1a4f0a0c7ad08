"""The files of a tarball, for people to look at: paths, sizes, and the text of small ones. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from nproxy_mw.errors import PayloadTooLarge
from nproxy_mw.npm.gunzip import Gunzip
from nproxy_mw.npm.tar_entries import entries

AT_ONCE = 5 * 2**20
"""Bytes of an unpacked tarball that a page opens unasked: more takes longer than a page may."""

ASKED = 64 * 2**20
"""Bytes of one that a page opens on request."""

MAX_TEXT = 128 * 1024
"""Bytes of one file whose text is kept to be compared."""

MAX_ENTRIES = 20_000
"""Files and folders of a tarball that a page opens. The public registry's largest have some thousands."""


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file. *text* is None when it is no text, or too long to be compared."""

    path: str
    size: int  # bytes
    digest: bytes
    text: str | None = field(repr=False)


def packed_files(data: bytes, most: int = ASKED) -> Mapping[str, PackedFile]:
    """Returns the files of the tarball *data* by their path in the package, in the order of their paths.

    What is outside the folder of the package is left out, as npm does. Of equal paths the last one counts.

    Raises:
        BadRequest: it is no tarball of a package.
        PayloadTooLarge: it unpacks to more than *most* bytes, or has more than `MAX_ENTRIES` entries.
    """
    stream, found = Gunzip(data), {}
    for number, entry in enumerate(entries(stream)):
        if number == MAX_ENTRIES or stream.position + entry.size > most:
            raise PayloadTooLarge("The tarball is too large to be opened on a page.")
        path = entry.path.partition("/")[2]
        if path and not entry.is_folder:
            found[path] = _file(stream, path, entry.size)
    return dict(sorted(found.items()))


def _file(stream: Gunzip, path: str, size: int) -> PackedFile:
    digest, kept, left = hashlib.sha256(), bytearray(), size
    while left and (piece := stream.read_some(left)):
        digest.update(piece)
        left -= len(piece)
        if size <= MAX_TEXT:
            kept += piece
    return PackedFile(path, size, digest.digest(), _text(kept) if size <= MAX_TEXT else None)


def _text(data: bytearray) -> str | None:
    try:
        return data.decode() if b"\0" not in data else None
    except UnicodeDecodeError:
        return None
