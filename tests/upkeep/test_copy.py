"""A copy holds what its source holds, can be stopped at any point, and overwrites nothing that is not a copy."""

from __future__ import annotations

import contextlib
import itertools
import threading
import uuid

import pytest
from support.publications import ACTOR, publish

from nproxy_mw.errors import Conflict, Missing, StorageUnavailable
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.storage import documents, open_storage
from nproxy_mw.storage.layout import COPY, DIRTY, MENDED, RECORD, TARBALL, Stage, locate
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.faults import Faulty
from nproxy_mw.upkeep.check import check
from nproxy_mw.upkeep.copy import copy, origin_of

UTILS = parse_name("@acme/utils")


def new_storage():
    return open_storage(f"memory://{uuid.uuid4().hex}")


def contents(storage):
    """What copies have, too: no notes about a place itself."""
    keys = (key for key in storage.list() if locate(key).kind not in (COPY, DIRTY, MENDED))
    return {key: storage.read(key).data for key in keys}


@pytest.fixture
def destination():
    """An empty place."""
    return new_storage()


def make_copy(store, destination, **how):
    return copy(store, destination, origin="file:///srv/npm", **how).counts


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_copy_holds_everything(store, destination):
    """Every object is there, byte by byte, and the copy is sound."""
    make_copy(store, destination)
    assert contents(destination) == contents(store)
    assert list(check(destination)) == []


def test_copy_serves_what_the_source_serves(store, destination, acme):
    """An organization opened on the copy has the same packages, bytes, settings and tokens."""
    make_copy(store, destination)
    copied = open_organization(destination, ThreadLocks(), "acme")
    assert copied.packages.read(UTILS)[0] == acme.packages.read(UTILS)[0]
    for tarball in (it.packages.open_tarball(UTILS, "utils-1.0.0.tgz") for it in (copied, acme)):
        with tarball.stream as stream:
            assert len(stream.read()) == tarball.size
    assert copied.settings.get() == acme.settings.get()
    assert copied.tokens.list(revoked=True) == acme.tokens.list(revoked=True)


def test_second_run_does_nothing(store, destination):
    """When nothing has changed, nothing is written."""
    make_copy(store, destination)
    assert set(make_copy(store, destination)) == {"unchanged"}


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_second_run_brings_what_changed(store, destination, acme):
    """What was published, unpublished, revoked since the first run is brought over."""
    make_copy(store, destination)
    publish(acme, "@acme/utils", "3.0.0")
    publish(acme, "@acme/new", "1.0.0")
    acme.tokens.revoke(acme.tokens.list()[0].id, actor=ACTOR)
    make_copy(store, destination)
    assert contents(destination) == contents(store)
    assert list(check(destination)) == []


def test_orphans_and_sessions_stay_behind(store, destination):
    """What no record names is not copied, and neither are sessions."""
    store.create("orgs/acme/tarballs/@acme/utils/0123.tgz", b"")
    store.create("sessions/0123.json", documents.encode({}))
    make_copy(store, destination)
    assert set(contents(store)) - set(contents(destination)) == {
        "orgs/acme/tarballs/@acme/utils/0123.tgz",
        "sessions/0123.json",
    }


def test_removed_administrator_is_removed(store, destination):
    """Whoever was removed from the source cannot sign in at the copy."""
    store.create("administrators/ann.json", documents.encode({"name": "ann"}))
    make_copy(store, destination)
    store.delete("administrators/ann.json")
    assert make_copy(store, destination)["removed"] == 1
    assert contents(destination) == contents(store)


def test_dry_run_writes_nothing(store, destination):
    """A dry run counts and leaves the destination empty."""
    counts = make_copy(store, destination, dry_run=True)
    assert list(destination.list()) == []
    assert counts["tarballs to copy"] == 6
    assert counts["objects to copy"] > 10


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_copy_goes_on_wherever_it_stopped(furnished, kind):
    """Stopped at any operation, the destination names no bytes that are not there, and a second run completes it."""
    store = new_storage()
    for key in furnished:
        if key.startswith("orgs/acme/") and "/audit/index/" not in key:
            store.create(key, furnished[key])
    tried = 0
    for at in itertools.count(1):
        destination = new_storage()
        faulty = Faulty(destination, at, kind)
        with contextlib.suppress(StorageUnavailable):
            make_copy(store, faulty)
        if not faulty.struck:
            break
        tried += 1
        assert not [str(found) for found in check(destination) if "tarball is missing" in found.what]
        make_copy(store, destination)
        assert contents(destination) == contents(store)
    assert tried > 30


def test_damaged_tarball_in_the_destination_is_replaced(store, destination):
    """A tarball that the destination's disk has spoilt is brought again with its changed record."""
    make_copy(store, destination)
    acme = open_organization(store, ThreadLocks(), "acme")
    record, _ = acme.packages.record(UTILS)
    key = f"orgs/acme/tarballs/@acme/utils/{record.tarballs['1.0.0']['key']}"
    destination.replace(key, b"spoilt", destination.read(key).revision)
    publish(acme, "@acme/utils", "3.0.0")
    make_copy(store, destination)
    assert contents(destination) == contents(store)


def test_damaged_tarball_in_the_source_ends_the_copy(store, destination, acme):
    """Bytes that are not what the record says are never presented as a copy."""
    record, _ = acme.packages.record(UTILS)
    key = f"orgs/acme/tarballs/@acme/utils/{record.tarballs['1.0.0']['key']}"
    store.replace(key, b"spoilt", store.read(key).revision)
    with pytest.raises(StorageUnavailable, match="damaged in the source"):
        make_copy(store, destination)
    with pytest.raises(Missing):
        destination.read("orgs/acme/packages/@acme/utils/record.json")


def test_lying_destination_is_found_out(store, destination, monkeypatch):
    """A destination that gives back other bytes than were written ends the copy."""
    real = destination.create
    monkeypatch.setattr(destination, "create", lambda key, data: real(key, data[:-1] if "settings" in key else data))
    with pytest.raises(StorageUnavailable, match="other bytes"):
        make_copy(store, destination)


@pytest.mark.parametrize("key", ["orgs/acme/settings.json", "something"])
def test_another_store_is_not_written_over(store, destination, key):
    """A destination that holds anything that is not our copy is refused, and left as it is."""
    destination.create(key, b"{}")
    with pytest.raises(Conflict, match="holds another store"):
        make_copy(store, destination)
    assert contents(destination) == {key: b"{}"}


def test_copy_of_another_source_is_not_written_over(store, destination):
    """A copy says of what it is one."""
    make_copy(store, destination)
    with pytest.raises(Conflict, match="copy of another store"):
        copy(store, destination, origin="file:///srv/other")


@pytest.mark.parametrize("change", [
    pytest.param(lambda it: publish(it, "@acme/utils", "4.0.0"), id="publish"),
    pytest.param(lambda it: it.settings.ensure_scopes(["@more"], actor=ACTOR), id="settings"),
    pytest.param(lambda it: it.tokens.create("x", ["proxy"], actor=ACTOR), id="token"),
])  # fmt: skip
def test_copy_that_went_its_own_way_is_not_written_over(store, destination, change):
    """Once servers write to the copy, the former source no longer overwrites it."""
    make_copy(store, destination)
    change(open_organization(destination, ThreadLocks(), "acme"))
    before = contents(destination)
    with pytest.raises(Conflict, match="changed on its own"):
        make_copy(store, destination)
    assert contents(destination) == before


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_live_source_is_copied_whole(store, destination, acme):
    """A package that is published to while it is copied arrives with the bytes its record names."""
    source = Faulty(store, 0, "delay")
    real = source.open
    published = []
    once = threading.Lock()

    def publish_first(key):
        with once:
            if not published:
                published.append(publish(acme, "@acme/utils", "5.0.0"))
        return real(key)

    source.open = publish_first
    make_copy(source, destination)
    assert [str(found) for found in check(destination) if "tarball" in found.what] == []
    make_copy(store, destination)
    assert contents(destination) == contents(store)


@pytest.mark.parametrize(("url", "same"), [
    pytest.param("file:///srv/npm", "/srv/npm", id="scheme"),
    pytest.param("/srv/npm/", "/srv/../srv/npm", id="dots"),
    pytest.param("s3://bucket/npm", "s3://bucket/npm/", id="slash"),
])  # fmt: skip
def test_origin_has_one_spelling(url, same):
    """Two spellings of one place are one place."""
    assert origin_of(url) == origin_of(same)


def test_dry_run_removes_nothing(store, destination):
    """What the source no longer has is counted, and stays where it is."""
    store.create("administrators/ann.json", documents.encode({"name": "ann"}))
    make_copy(store, destination)
    store.delete("administrators/ann.json")
    before = contents(destination)
    assert make_copy(store, destination, dry_run=True)["removed"] == 1
    assert contents(destination) == before


@pytest.mark.parametrize("key", ["orgs/acme/tokens/{}.json", "sessions/{}.json"])
def test_what_lets_people_in_goes_with_its_source(store, destination, key):
    """A token or a session that the source does not have opens nothing at the copy."""
    make_copy(store, destination)
    destination.create(key.format("f" * 64), b"{}")
    assert make_copy(store, destination)["removed"] == 1
    assert contents(destination) == contents(store)


def test_settings_go_before_packages(store, destination):
    """A server on a half-made copy knows which scopes are internal before it knows any package."""
    written = []
    real = destination.create
    destination.create = lambda key, data: written.append(key) or real(key, data)
    make_copy(store, destination)
    order = [locate(key).kind.copied or Stage.PACKAGES for key in written if key != COPY.key()]
    assert order == sorted(order)


def test_dry_run_leaves_damaged_bytes_alone(store, destination):
    """A tarball that a broken disk changed is counted, and stays as it is; a real run brings the right one."""
    make_copy(store, destination)
    tarball = next(key for key in store.list() if locate(key).kind is TARBALL)
    name, _ = TARBALL.parse(locate(tarball).key)
    record = tarball.removesuffix(locate(tarball).key) + RECORD.key(name)
    for key in (record, tarball):
        destination.delete(key)
    destination.create(tarball, b"damaged")
    before = contents(destination)
    assert make_copy(store, destination, dry_run=True)["tarballs to copy"] == 1
    assert contents(destination) == before
    make_copy(store, destination)
    assert contents(destination) == contents(store)
