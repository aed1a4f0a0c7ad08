"""Publish, read, tag, deprecate, unpublish: what is stored, recorded and refused."""

from __future__ import annotations

from operator import itemgetter

import pytest
from support.packages import ANN, NAME, keys, packages_on, publication, recorded

from nproxy_mw.audit.events import verify
from nproxy_mw.errors import Conflict, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.npm.names import Name
from nproxy_mw.signing.keys import Ed25519Signer, P256Signer
from nproxy_mw.storage.layout import RECORD

OTHER = publication("2.0.0")


def test_published_version_is_read(packages):
    """The packument, its revision, its bytes and its event are there."""
    packages.publish(publication(), ANN)
    packument, _ = packages.read(NAME)
    assert packument["versions"].keys() == {"1.0.0"}
    assert packument["_rev"].startswith("1-")
    tarball = packages.open_tarball(NAME, "utils-1.0.0.tgz")
    with tarball.stream as stream:
        assert stream.read() == publication().tarball
    assert (tarball.size, tarball.integrity) == (len(publication().tarball), publication().integrity)
    (event,) = packages.record(NAME)[0].chain
    assert (event["event"], event["package"], event["version"]) == ("package.published", "@acme/utils", "1.0.0")
    assert (event["tokenHash"], event["requestId"], event["ip"]) == ("0" * 64, "r1", "192.0.2.7")


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda packages: packages.read(NAME), id="read"),
        pytest.param(lambda packages: packages.read(NAME, for_write=True), id="read for a write"),
        pytest.param(lambda packages: packages.record(NAME), id="record"),
        pytest.param(lambda packages: packages.open_tarball(NAME, "utils-1.0.0.tgz"), id="tarball"),
        pytest.param(lambda packages: packages.unpublish(NAME, "1-x", ANN), id="unpublish"),
        pytest.param(lambda packages: packages.tag(NAME, "next", "1.0.0", ANN), id="tag"),
        pytest.param(lambda packages: packages.untag(NAME, "next", ANN), id="untag"),
        pytest.param(lambda packages: packages.deprecate(NAME, {"1.0.0": "x"}, "1-x", ANN), id="deprecate"),
        pytest.param(
            lambda packages: packages.unpublish_versions(NAME, frozenset({"1.0.0"}), "1-x", ANN), id="versions"
        ),
    ],
)
def test_absent_package_is_not_found(packages, storage, ask):
    """Nothing is made by asking for it."""
    with pytest.raises(NotFound):
        ask(packages)
    assert keys(storage) == []


def test_every_change_is_recorded(packages, storage):
    """One chain tells the whole life of a package, and outlives it."""
    packages.publish(publication(), ANN)
    packages.publish(publication("1.1.0"), ANN)
    packages.tag(NAME, "next", "1.1.0", ANN)
    packages.untag(NAME, "next", ANN)
    packages.deprecate(NAME, {"1.0.0": "x"}, packages.read(NAME)[0]["_rev"], ANN)
    packages.unpublish_versions(NAME, frozenset({"1.1.0"}), packages.read(NAME)[0]["_rev"], ANN)
    packages.unpublish(NAME, packages.read(NAME)[0]["_rev"], ANN)
    assert recorded(packages) == [
        ("package.published", "1.0.0"),
        ("package.published", "1.1.0"),
        ("package.tagged", "1.1.0"),
        ("package.untagged", None),
        ("package.deprecated", None),
        ("package.unpublished", "1.1.0"),
        ("package.unpublished", None),
    ]
    assert verify(packages.record(NAME)[0].chain) == []
    assert keys(storage) == [RECORD.key(NAME)]
    assert packages.record(NAME)[0].retired == {"1.0.0", "1.1.0"}


def test_events_are_indexed(packages):
    """Every event of a package's chain is found by its time, and a refused change leaves none."""
    packages.publish(publication(), ANN)
    packages.tag(NAME, "next", "1.0.0", ANN)
    with pytest.raises(Conflict):
        packages.publish(publication(), ANN)
    # Both changes may fall into one millisecond, and then have no order in the index.
    indexed, chain = packages.trail.page()[0], packages.record(NAME)[0].chain
    assert sorted(indexed, key=itemgetter("id")) == sorted(chain, key=itemgetter("id"))


def test_names_are_those_that_can_be_read(packages):
    """In order; the unpublished are not among them; prefix siblings are packages of their own."""
    for name in ("utils-b", "utils", "a", "gone"):
        packages.publish(publication(name=Name("@acme", name)), ANN)
    gone = Name("@acme", "gone")
    packages.unpublish(gone, packages.read(gone)[0]["_rev"], ANN)
    assert [name.base for name in packages.names()] == ["a", "utils", "utils-b"]


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0+b"])
def test_conflict_leaves_nothing_behind(packages, storage, version):
    """An existing version is refused before its bytes are stored."""
    packages.publish(publication(), ANN)
    before = keys(storage)
    with pytest.raises(Conflict):
        packages.publish(publication(version), ANN)
    assert keys(storage) == before


@pytest.mark.parametrize("change", ["unpublish", "deprecate", "unpublish_versions"])
def test_stale_revision_is_a_conflict(packages, change):
    """Whoever read before another's change must read again, and nothing is changed."""
    packages.publish(publication(), ANN)
    old = packages.read(NAME)[0]["_rev"]
    packages.publish(OTHER, ANN)
    before = packages.record(NAME)
    arguments = {"unpublish": [], "deprecate": [{"1.0.0": "x"}], "unpublish_versions": [frozenset({"1.0.0"})]}[change]
    with pytest.raises(Conflict) as caught:
        getattr(packages, change)(NAME, *arguments, old, ANN)
    assert caught.value.code == "stale-revision"
    assert packages.record(NAME) == before


def test_every_error_of_a_change_is_of_the_tree(packages):
    """A caller catches one kind."""
    packages.publish(publication(), ANN)
    for call in (
        lambda: packages.publish(publication(), ANN),
        lambda: packages.tag(NAME, "1.0", "1.0.0", ANN),
        lambda: packages.untag(NAME, "latest", ANN),
        lambda: packages.unpublish(NAME, "", ANN),
    ):
        with pytest.raises(NproxyError):
            call()


@pytest.mark.parametrize("data", [b"{}", b"not JSON"], ids=["no record", "no JSON"])
def test_damaged_record_is_no_absent_package(packages, storage, data):
    """It is 503 until somebody looks: never 404, and never published over."""
    packages.publish(publication(), ANN)
    key = RECORD.key(NAME)
    storage.replace(key, data, storage.read(key).revision)
    for ask in (lambda: packages.read(NAME), lambda: packages.publish(OTHER, ANN), lambda: packages.record(NAME)):
        with pytest.raises(StorageUnavailable):
            ask()
    assert storage.read(key).data == data


def test_versions_from_before_the_keys_are_signed_later(storage):
    """Only those without signatures, each told of; twice changes nothing."""
    pair = (P256Signer(), Ed25519Signer())
    packages_on(storage).publish(publication(), ANN)
    packages = packages_on(storage, signers=lambda: pair)
    packages.publish(OTHER, ANN)
    before = packages.read(NAME)[0]["versions"]["2.0.0"]
    assert packages.sign(NAME, ANN) == ["1.0.0"]
    after = packages.read(NAME)[0]["versions"]
    assert after["2.0.0"] == before
    assert after["1.0.0"]["dist"]["signatures"][0]["keyid"] == before["dist"]["signatures"][0]["keyid"]
    assert [event for event in recorded(packages) if event == ("package.signed", "1.0.0")] == [
        ("package.signed", "1.0.0")
    ] * 2
    record = packages.record(NAME)
    assert packages.sign(NAME, ANN) == []
    assert packages.record(NAME) == record


@pytest.mark.parametrize("data", [b"{", b'{"format":3}'], ids=["damaged", "newer"])
def test_one_unreadable_record_hides_no_other(packages, storage, data, caplog):
    """A list goes on past a record that cannot be read, and the log names it."""
    for name in ("a", "b", "c"):
        packages.publish(publication(name=Name("@acme", name)), ANN)
    key = RECORD.key("@acme/b")
    storage.replace(key, data, storage.read(key).revision)
    assert [name.base for name in packages.names()] == ["a", "c"]
    assert "@acme/b is left out" in caplog.text
