"""Every `PackageSource` that the library has, alone or before another, keeps the contract."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.client import Client
from support.registry import RegistryFixture, publish

from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.packages.source import StoredPackages
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import FileLocks
from nproxy_mw.testing import PackageSourceContract
from nproxy_mw.testing.package_source import VERSIONS
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.upstream.cached import Cached
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.guarded import Guarded
from nproxy_mw.upstream.judged import Judgments
from nproxy_mw.upstream.kept_tarballs import Tarballs
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.public_only import PublicOnly
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.ruled import Ruled
from nproxy_mw.upstream.tarball_store import TarballStore
from nproxy_mw.upstream.transport import Urllib3Transport


class TestStoredPackages(PackageSourceContract):
    """What was published here."""

    @pytest.fixture
    def name(self) -> Name:
        return parse_name("@acme/left-pad")

    @pytest.fixture
    def absent(self) -> Name:
        return parse_name("@acme/no-such-package")

    @pytest.fixture
    def source(self, acme: RegistryFixture, name: Name) -> PackageSource:
        client: Client = acme.client()
        for version in VERSIONS:
            assert publish(client, str(name), version).status == 201
        return StoredPackages(acme.packages)


def guarded(source: PackageSource, folder: Path) -> PackageSource:
    return Guarded(source, sleep=lambda _: None)


def cached(source: PackageSource, folder: Path) -> PackageSource:
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    return Cached(
        source,
        storage,
        tarballs=Tarballs(TarballStore(storage), folder / "spool"),
        flights=Flights(FileLocks(folder / "locks")),
    )


def ruled(source: PackageSource, folder: Path) -> PackageSource:
    return Ruled(source, policy=lambda: Policy((), "1"), judgments=Judgments())


def public_only(source: PackageSource, folder: Path) -> PackageSource:
    return PublicOnly(source, lambda: ["@acme"])


def all_of_them(source: PackageSource, folder: Path) -> PackageSource:
    return ruled(public_only(cached(guarded(source, folder), folder), folder), folder)


class TestComponents(PackageSourceContract):
    """Each component before a source that is right, and all of them in their order."""

    @pytest.fixture(params=[guarded, cached, ruled, public_only, all_of_them])
    def source(self, request: pytest.FixtureRequest, left_pad: PackageSource, tmp_path: Path) -> PackageSource:
        component: Callable[[PackageSource, Path], PackageSource] = request.param
        return component(left_pad, tmp_path)


class TestRemote(PackageSourceContract):
    """A registry that is rich, and the poorest mirror there is."""

    @pytest.fixture(params=[False, True], ids=["rich", "poor"])
    def source(self, request: pytest.FixtureRequest) -> Iterator[PackageSource]:
        with RecordingUpstream(is_poor=request.param) as upstream:
            for version in VERSIONS:
                upstream.publish("left-pad", version)
            yield Remote(Urllib3Transport(upstream.url))
