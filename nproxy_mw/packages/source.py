"""The internal packages as a source of packages: what is read of them, through the port that upstreams have too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from nproxy_mw.errors import NotFound, RangeNotSatisfiable
from nproxy_mw.grounds import Witness, vouch
from nproxy_mw.npm.documents import Blob, ByteRange, Document, Part
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.packages.store import PackageStore

CHUNK = 64 * 1024  # bytes


class StoredPackages:
    """A `nproxy_mw.npm.source.PackageSource` of *packages*. A document's revision is npm's ``_rev`` of it."""

    def __init__(self, packages: PackageStore) -> None:
        self._packages = packages

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument without tarball URLs. See `PackageSource`."""
        if not for_write:
            vouch(Witness.SOURCE)
            if self._packages.records.own(name)[0].revision == unless:
                return None
        revision, data = self._packages.document(name, for_write=for_write)
        return Document(data, revision, name=str(name))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the version that each dist-tag points at. See `PackageSource`."""
        tags: Mapping[str, str] = self._packages.outline(name)["dist-tags"]
        return tags

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a version's bytes. See `PackageSource`."""
        tarball = self._packages.open_tarball(name, filename)
        file, size = tarball.stream, tarball.size
        if part is None:
            vouch(Witness.SOURCE)
            return Blob(_chunks(file, size), size=size, integrity=tarball.integrity, file=file, close=file.close)
        found = part.within(size)
        if found is None:
            file.close()
            raise RangeNotSatisfiable("The tarball has no such range.", content_range=f"bytes */{size}")
        first, last = found
        return Blob(
            _chunks(file, last - first + 1, first),
            size=last - first + 1,
            part=Part(first, last, size),
            integrity=tarball.integrity,
            close=file.close,
        )

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Raises `NotFound`: nothing but packages is stored here."""
        raise NotFound("This registry keeps nothing under that path.", code="route-not-found")


def _chunks(file: BinaryIO, size: int, first: int = 0) -> Iterator[bytes]:
    """Yields *size* bytes of *file* from the position *first* on."""
    left = size
    if file.seekable():
        file.seek(first)
    else:
        left += first
    while left > 0 and (chunk := file.read(min(CHUNK, left))):
        skipped = max(left - size, 0)
        left -= len(chunk)
        if piece := chunk[skipped:]:
            yield piece
