"""What is remembered may be a little old: that is never the reason of a refusal, and never read twice."""

from __future__ import annotations

from collections import Counter

import pytest
from support.packages import ANN, NAME, NoLocks, assert_whole, memory, packages_on, publication, recorded

from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.packages.record import decode
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.signing.keys import P256Signer
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.port import Storage

OTHER = publication("2.0.0")


@pytest.fixture
def storage() -> Storage:
    return memory()


@pytest.fixture
def other(storage: Storage) -> PackageStore:
    """Another process on the same storage."""
    return packages_on(storage, locks=NoLocks())


@pytest.fixture
def lagging(storage: Storage, other: PackageStore) -> PackageStore:
    """A process that saw one version, and asks again in an hour."""
    lagging = packages_on(FreshnessCache(storage, 3600.0), locks=NoLocks())
    other.publish(publication(), ANN)
    lagging.read(NAME)
    return lagging


def test_listing_may_be_a_little_old(lagging: PackageStore, other: PackageStore) -> None:
    """A version that another process publishes is seen a little late, and at once by who is about to write."""
    other.publish(OTHER, ANN)
    assert lagging.read(NAME)[0]["versions"].keys() == {"1.0.0"}
    assert lagging.read(NAME, for_write=True)[0]["versions"].keys() == {"1.0.0", "2.0.0"}
    assert lagging.read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0"}


def test_tarball_of_another_process_is_found(lagging: PackageStore, other: PackageStore) -> None:
    """Before a tarball is 404, the storage itself is asked."""
    other.publish(OTHER, ANN)
    with lagging.open_tarball(NAME, "utils-2.0.0.tgz").stream as stream:
        assert stream.read() == OTHER.tarball
    with pytest.raises(NotFound):
        lagging.open_tarball(NAME, "utils-3.0.0.tgz")


def test_package_that_is_there_again_is_found(lagging: PackageStore, other: PackageStore) -> None:
    """Before a package is 404 because it was unpublished, the storage itself is asked."""
    other.unpublish(NAME, other.read(NAME)[0]["_rev"], ANN)
    with pytest.raises(NotFound):
        lagging.read(NAME, for_write=True)
    other.publish(OTHER, ANN)
    assert lagging.read(NAME)[0]["versions"].keys() == {"2.0.0"}


@pytest.mark.parametrize("change", [
    pytest.param(lambda it, revision: it.tag(NAME, "next", "2.0.0", ANN), id="tag of a new version"),
    pytest.param(lambda it, revision: it.untag(NAME, "beta", ANN), id="removal of a new tag"),
    pytest.param(lambda it, revision: it.deprecate(NAME, {"2.0.0": "x"}, revision, ANN), id="deprecation"),
    pytest.param(lambda it, revision: it.unpublish(NAME, revision, ANN), id="unpublish"),
])  # fmt: skip
def test_change_of_what_another_process_made_is_not_refused(lagging: PackageStore, other: PackageStore, change) -> None:
    """A 404 or 409 is decided on the present state: what was listed elsewhere can be changed here."""
    other.publish(OTHER, ANN)
    other.tag(NAME, "beta", "2.0.0", ANN)
    change(lagging, other.read(NAME)[0]["_rev"])
    assert len(recorded(other)) == 4


def test_publish_over_a_remembered_state_loses_nothing(
    lagging: PackageStore, other: PackageStore, storage: Storage
) -> None:
    """The first swap on an old state loses, and the next one stands on what is there."""
    other.publish(OTHER, ANN)
    lagging.publish(publication("3.0.0"), ANN)
    assert other.read(NAME)[0]["versions"].keys() == {"1.0.0", "2.0.0", "3.0.0"}
    other.unpublish_versions(NAME, frozenset({"3.0.0"}), other.read(NAME)[0]["_rev"], ANN)
    with pytest.raises(Conflict):
        lagging.publish(publication("3.0.0"), ANN)
    assert_whole(storage)


class Counted:
    """A storage that counts what is asked about the record."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.asked: Counter[str] = Counter()

    def __getattr__(self, verb):
        def call(key="", *arguments):
            self.asked[verb] += key == RECORD.key(NAME)
            return getattr(self.storage, verb)(key, *arguments)

        return call


def test_record_is_read_once(storage: Storage) -> None:
    """A publish reads the record at most once, and not at all after a publish by the same process."""
    counted = Counted(storage)
    packages = packages_on(counted)
    packages_on(storage).publish(publication(), ANN)
    for version, reads in (("1.1.0", 1), ("1.2.0", 0), ("1.3.0", 0)):
        counted.asked.clear()
        packages.publish(publication(version), ANN)
        assert (counted.asked["read"], counted.asked["replace"]) == (reads, 1)


def test_what_is_remembered_is_what_is_stored(storage: Storage) -> None:
    """After each change the remembered record equals the one that another process decodes."""
    packages = packages_on(storage)
    for change in (
        lambda: packages.publish(publication(), ANN),
        lambda: packages.publish(publication("1.1.0", tag="beta"), ANN),
        lambda: packages.tag(NAME, "next", "1.1.0", ANN),
        lambda: packages.untag(NAME, "next", ANN),
        lambda: packages.deprecate(NAME, {"1.0.0": "x"}, packages.read(NAME)[0]["_rev"], ANN),
        lambda: packages.unpublish_versions(NAME, frozenset({"1.1.0"}), packages.read(NAME)[0]["_rev"], ANN),
        lambda: packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN),
    ):
        change()
        assert packages.records.own(NAME)[0] == decode(storage.read(RECORD.key(NAME)).data)


@pytest.mark.parametrize("change", [
    pytest.param(lambda it: it.tag(NAME, "latest", "1.0.0", ANN), id="tag"),
    pytest.param(lambda it: it.deprecate(NAME, {"1.0.0": ""}, it.read(NAME)[0]["_rev"], ANN), id="deprecation"),
    pytest.param(lambda it: it.sign(NAME, ANN), id="signature"),
])  # fmt: skip
def test_change_of_nothing_is_not_written(storage: Storage, change) -> None:
    """A write that changes nothing adds nothing to the history."""
    packages = packages_on(storage, signers=lambda: [P256Signer()])
    packages.publish(publication(), ANN)
    before = packages.record(NAME)
    change(packages)
    assert packages.record(NAME) == before


def test_fields_of_a_newer_version_are_kept(storage: Storage) -> None:
    """What another version of this package added to a record is still there after a change by this one."""
    packages = packages_on(storage)
    packages.publish(publication(), ANN)
    stored = storage.read(RECORD.key(NAME))
    storage.replace(RECORD.key(NAME), stored.data.replace(b'{"format"', b'{"added":[1],"format"'), stored.revision)
    packages.publish(OTHER, ANN)
    assert packages.record(NAME)[0].unknown == {"added": [1]}
