"""Internal packages through the port of package sources."""

from __future__ import annotations

import gzip
import io
from typing import Any, BinaryIO

import orjson
import pytest
from support.registry import RegistryFixture, publish

from nproxy_mw.errors import NotFound, RangeNotSatisfiable
from nproxy_mw.npm.documents import ByteRange, Part
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.packages.source import CHUNK, StoredPackages

UTILS = Name("@acme", "utils")


@pytest.fixture
def source(acme: RegistryFixture) -> StoredPackages:
    publish(acme.client())
    return StoredPackages(acme.packages)


def test_packument_has_a_revision_and_no_urls(acme: RegistryFixture, source: StoredPackages) -> None:
    """While it is at the revision that is known, nothing is handed over; after a change, another one is."""
    document = source.packument(UTILS)
    assert document is not None
    packument = orjson.loads(document.raw)
    assert (packument["_rev"], document.name) == (document.revision, "@acme/utils")
    assert "tarball" not in packument["versions"]["1.0.0"]["dist"]
    assert source.packument(UTILS, unless=document.revision) is None
    publish(acme.client(), version="1.1.0")
    changed = source.packument(UTILS, unless=document.revision)
    assert changed is not None
    assert list(changed.packument.versions) == ["1.0.0", "1.1.0"]
    assert source.dist_tags(UTILS) == {"latest": "1.1.0"}


def test_what_was_never_there_or_is_gone_is_not_found(acme: RegistryFixture, source: StoredPackages) -> None:
    """Whatever revision a reader still holds."""
    document = source.packument(UTILS)
    assert document is not None
    acme.client().delete(f"/@acme%2futils/-rev/{document.revision}")
    for name in (UTILS, Name("@acme", "absent")):
        for revision in ("", document.revision):
            with pytest.raises(NotFound):
                source.packument(name, unless=revision)
        with pytest.raises(NotFound):
            source.tarball(name, "utils-1.0.0.tgz")


def test_no_other_document_is_kept(source: StoredPackages) -> None:
    """Attestations of an internal package are a path that is not there."""
    with pytest.raises(NotFound):
        source.document(Route(Kind.ATTESTATIONS, UTILS, version="1.0.0"))


def test_tarball_is_read_whole_or_in_part(source: StoredPackages) -> None:
    """The parts are those of the whole; what closes gives the file back."""
    with source.tarball(UTILS, "utils-1.0.0.tgz") as whole:
        data = b"".join(whole)
    assert (gzip.decompress(data)[:7], whole.size) == (b"package", len(data))
    assert whole.integrity.startswith("sha512-")
    with source.tarball(UTILS, "utils-1.0.0.tgz", ByteRange(3, 9)) as part:
        assert b"".join(part) == data[3:10]
    assert (part.size, part.part, part.file, part.integrity) == (7, Part(3, 9, len(data)), None, whole.integrity)


def test_part_beyond_the_end_is_refused(source: StoredPackages) -> None:
    """With the size, so that the client can ask again."""
    with source.tarball(UTILS, "utils-1.0.0.tgz") as whole, pytest.raises(RangeNotSatisfiable) as caught:
        source.tarball(UTILS, "utils-1.0.0.tgz", ByteRange(whole.size, None))
    assert caught.value.content_range == f"bytes */{whole.size}"


class Pipe(io.RawIOBase):
    """A stream that knows no positions, as one over a network."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.data.readinto(memoryview(buffer)[:1000])


@pytest.mark.parametrize("make", [io.BytesIO, Pipe])
@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (0, CHUNK), (999, 1000), (CHUNK - 1, 2 * CHUNK), (2 * CHUNK, None)]
)
def test_part_is_read_from_any_stream(acme: RegistryFixture, make: Any, first: int, last: int | None) -> None:
    """Where a stream has no positions, what lies before the part is read and thrown away."""
    data = bytes(index % 251 for index in range(2 * CHUNK + 5))
    publish(acme.client())

    class Packages:
        def open_tarball(self, name: Name, filename: str) -> Any:
            class Tarball:
                stream: BinaryIO = make(data)
                size, integrity = len(data), "sha512-x"

            return Tarball

    with StoredPackages(Packages()).tarball(UTILS, "x", ByteRange(first, last)) as part:  # type: ignore[arg-type]
        assert b"".join(part) == data[first : None if last is None else last + 1]
