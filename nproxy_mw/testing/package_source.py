"""What is true of every `PackageSource`, as tests. Subclass `PackageSourceContract` for a component of your own::

    class TestOurComponent(PackageSourceContract):
        @pytest.fixture
        def source(self, left_pad):  # left_pad has the package that is asked for
            return OurComponent(left_pad)

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from nproxy_mw.errors import NotFound, RangeNotSatisfiable
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.npm.slices import as_text, members_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.testing.documents import tarball
from nproxy_mw.testing.races import in_threads

PACKAGE = parse_name("left-pad")
ABSENT = parse_name("no-such-package")
VERSIONS = ("1.0.0", "1.1.0")
RANGES = [ByteRange(0, 0), ByteRange(3, 9), ByteRange(5, None), ByteRange(None, 7), ByteRange(0, 10**9)]


class LeftPad:
    """A source in memory with one package of two versions: what components are tried on."""

    def __init__(self, name: Name = PACKAGE) -> None:
        self.name = name
        self.tarballs = {name.tarball(version): tarball(_manifest(name, version)) for version in VERSIONS}
        versions = {version: self._described(version) for version in VERSIONS}
        self._raw = json.dumps({"name": str(name), "dist-tags": {"latest": "1.1.0"}, "versions": versions}).encode()

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument."""
        self._check(name)
        return None if unless == "1" else Document(self._raw, "1", name=str(name))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the one tag."""
        self._check(name)
        return {"latest": "1.1.0"}

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a tarball, always whole."""
        self._check(name)
        if filename not in self.tarballs:
            raise NotFound("There is no such tarball.")
        data = self.tarballs[filename]
        return Blob(iter([data[:100], data[100:]]), size=len(data))

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Has neither keys nor attestations."""
        raise NotFound("There is no such document.")

    def _check(self, name: Name) -> None:
        if name != self.name:
            raise NotFound("There is no such package.")

    def _described(self, version: str) -> dict[str, Any]:
        digest = base64.b64encode(hashlib.sha512(self.tarballs[self.name.tarball(version)]).digest()).decode()
        return {**_manifest(self.name, version), "dist": {"integrity": f"sha512-{digest}"}}


class PackageSourceContract:
    """What is true of every `PackageSource`. Subclass it, and give it a fixture ``source``.

    The source has the package ``name``, which is ``left-pad`` unless you override that fixture, with the versions 1.0.0
    and 1.1.0, and ``latest`` on the latter. It has no package ``absent``.
    """

    @pytest.fixture
    def left_pad(self) -> LeftPad:
        """A source with the package, for components to stand before."""
        return LeftPad()

    @pytest.fixture
    def source(self) -> PackageSource:
        """The source."""
        pytest.fail("Give this class a fixture named source.")

    @pytest.fixture
    def name(self) -> Name:
        """The package that the source has."""
        return PACKAGE

    @pytest.fixture
    def absent(self) -> Name:
        """A package that it does not have."""
        return ABSENT

    def test_packument_is_whole(self, source: PackageSource, name: Name) -> None:
        """It has the package's name, every version, and the tags that `dist_tags` returns."""
        document = _found(source.packument(name))
        assert (document.name, document.packument.name) == (str(name), str(name))
        assert tuple(document.packument.versions) == VERSIONS
        assert dict(document.packument.tags) == dict(source.dist_tags(name)) == {"latest": "1.1.0"}

    def test_revision_names_the_state(self, source: PackageSource, name: Name) -> None:
        """At the revision that is known already there is nothing to return; at any other there is."""
        document = _found(source.packument(name))
        assert document.revision
        assert source.packument(name, unless=document.revision) is None
        again = _found(source.packument(name, unless="another"))
        assert (again.raw, again.revision) == (document.raw, document.revision)

    def test_packument_for_a_write_is_the_packument(self, source: PackageSource, name: Name) -> None:
        """Only older states can differ."""
        assert _found(source.packument(name, for_write=True)).packument.versions.keys() == set(VERSIONS)

    def test_tarball_is_that_of_its_version(self, source: PackageSource, name: Name) -> None:
        """Its bytes have the digest that the packument gives, and as many as it says."""
        packument = _found(source.packument(name)).packument
        for version in VERSIONS:
            with source.tarball(name, name.tarball(version)) as blob:
                data = b"".join(blob)
            assert blob.size in (None, len(data))
            digest = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
            assert as_text(members_of(packument.versions[version]["dist"])["integrity"]) == digest
            assert blob.integrity in ("", digest)
            blob.close()

    @pytest.mark.parametrize("asked", RANGES, ids=str)
    def test_part_is_a_part_of_the_whole(self, source: PackageSource, name: Name, asked: ByteRange) -> None:
        """A source that cannot read parts opens the whole."""
        with source.tarball(name, name.tarball("1.0.0")) as blob:
            whole = b"".join(blob)
        with source.tarball(name, name.tarball("1.0.0"), asked) as blob:
            found = b"".join(blob)
        if blob.part is None:
            assert found == whole
        else:
            assert (blob.part.first, blob.part.last) == asked.within(len(whole))
            assert (found, blob.part.size) == (whole[blob.part.first : blob.part.last + 1], len(whole))

    def test_part_behind_the_end_is_refused_or_the_whole(self, source: PackageSource, name: Name) -> None:
        """It is never an empty tarball."""
        with suppress(RangeNotSatisfiable), source.tarball(name, name.tarball("1.0.0"), ByteRange(10**9, None)) as blob:
            assert (blob.part, b"".join(blob)[:2]) == (None, b"\x1f\x8b")

    def test_absent_package_is_not_found(self, source: PackageSource, absent: Name) -> None:
        """By every verb; and at whatever revision a caller still has."""
        for unless in ("", "1"):
            with pytest.raises(NotFound):
                source.packument(absent, unless=unless)
        with pytest.raises(NotFound):
            source.packument(absent, for_write=True)
        with pytest.raises(NotFound):
            source.dist_tags(absent)
        with pytest.raises(NotFound):
            source.tarball(absent, absent.tarball("1.0.0"))

    def test_absent_tarball_is_not_found(self, source: PackageSource, name: Name) -> None:
        """A version that the package does not have."""
        with pytest.raises(NotFound):
            source.tarball(name, name.tarball("9.9.9"))

    def test_keys_and_attestations_are_there_or_not_found(self, source: PackageSource, name: Name) -> None:
        """A source without them says so like one that never heard of them."""
        for route in (Route(Kind.KEYS), Route(Kind.ATTESTATIONS, name, version="1.0.0")):
            try:
                document = _found(source.document(route))
            except NotFound:
                continue
            assert source.document(route, unless=document.revision) is None
            assert document.members is not None

    def test_threads_read_at_once(self, source: PackageSource, name: Name) -> None:
        """Packuments and tarballs, by many requests."""

        def read(number: int) -> bytes:
            if number % 2:
                return _found(source.packument(name)).raw
            with source.tarball(name, name.tarball("1.0.0")) as blob:
                return b"".join(blob)

        found = in_threads(8, read)
        assert (len(set(found[::2])), len(set(found[1::2]))) == (1, 1)


def _found(document: Document | None) -> Document:
    assert document is not None
    return document


def _manifest(name: Name, version: str) -> dict[str, Any]:
    return {"name": str(name), "version": version}
