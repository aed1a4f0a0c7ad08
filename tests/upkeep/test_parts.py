"""What check, gc, copy and the verification of the audit trail do with the parts of records."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.packages import SMALL
from support.publications import ACTOR, publish
from support.stores import edit

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.package_chain import EventPart, chain_of, pieces_of
from nproxy_mw.audit.verify import all_chains, verify
from nproxy_mw.errors import Conflict
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.packages import records
from nproxy_mw.packages.verify import findings
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import PART, RECORD, TARBALL, home
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.parts import Parts, decode_part
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.copy import copy
from nproxy_mw.upkeep.gc import gc

NAME = parse_name("@acme/many")
UTILS = "orgs/acme/packages/@acme/many/record.json"
ORPHAN = f"orgs/acme/parts/@acme/many/{'0' * 64}-01234567.json"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record has parts."""
    monkeypatch.setattr(records, "BOUNDS", SMALL)


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    """A store in a folder, with a package of eight versions."""
    storage = open_storage(str(tmp_path / "store"))
    organization = opened(storage)
    organization.settings.ensure_scopes(["@acme"], actor=ACTOR)
    for number in range(8):
        publish(organization, "@acme/many", f"1.{number}.0")
    packages = organization.packages
    packages.unpublish_versions(NAME, frozenset({"1.3.0"}), packages.read(NAME)[0]["_rev"], ACTOR)
    return storage


def opened(storage: Storage) -> Organization:
    return open_organization(storage, ThreadLocks(), "acme")


def part_keys(storage: Storage, kind: str = "version_parts") -> list[str]:
    record, _ = opened(storage).packages.records.own(NAME)
    return [f"orgs/acme/{PART.key(NAME, ref.key)}" for ref in getattr(record, kind)]


def found(storage: Storage) -> list[str]:
    return [str(finding) for finding in check(storage) if not isinstance(finding, OrphanFinding)]


def test_sound_store_is_sound(store: Storage) -> None:
    """Parts are there, and nothing is wrong with them."""
    assert len(part_keys(store)) >= 3
    assert len(part_keys(store, "event_parts")) >= 3
    assert list(check(store)) == []
    assert list(gc(store)) == []


@pytest.mark.parametrize("kind", ["version_parts", "event_parts"])
@pytest.mark.parametrize("damage", [None, b"", b"{", b'{"format":1}', b'{"format":2}'])
def test_lost_or_damaged_part_is_found(store: Storage, kind: str, damage: bytes | None) -> None:
    """The finding names the part. Nothing of the package is taken for an orphan."""
    key = part_keys(store, kind)[1]
    store.delete(key)
    if damage is not None:
        store.create(key, damage)
    assert [finding for finding in found(store) if finding.startswith(key)]
    assert not [finding for finding in check(store) if isinstance(finding, OrphanFinding)]
    assert list(gc(store, grace=timedelta(0))) == []


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [("versionParts", "count", 7), ("versionParts", "numbers", "AAAA"), ("eventParts", "count", 7)],
)
def test_part_that_is_not_as_the_record_says_is_found(store: Storage, kind: str, member: str, value: object) -> None:
    """A number that the record leaves out could be given again."""
    edit(store, UTILS, lambda it: it[kind][0].update({member: value}))
    assert any("this is not as the record says" in finding for finding in found(store))


def test_event_that_is_edited_in_a_part_is_found(store: Storage) -> None:
    """Under a new key and a new hash of the part, the chain still tells."""
    key = part_keys(store, "event_parts")[1]
    data = store.read(key).data.replace(b'"version":"1.', b'"version":"9.', 1)
    own = home(store, "acme")
    ref = Parts(own, EventPart).create(NAME, decode_part(data, EventPart))
    edit(store, UTILS, lambda it: it["eventParts"][1].update(key=ref.key))
    assert any("this event was edited" in finding for finding in found(store))


def test_part_that_no_record_names_is_an_orphan(store: Storage) -> None:
    """A killed publish leaves it: check lists it as harmless, gc removes it after the grace, and nothing else."""
    store.create(ORPHAN, b"{}")
    assert [(type(it), it.where) for it in check(store)] == [(OrphanFinding, ORPHAN)]
    before = sorted(store.list())
    assert [(it.key, it.due) for it in gc(store, clock=lambda: NOON)] == [(ORPHAN, False)]
    assert [(it.key, it.due) for it in gc(store, clock=lambda: NOON + timedelta(hours=2))] == [(ORPHAN, True)]
    assert set(before) - set(store.list()) == {ORPHAN}
    assert list(check(store)) == []


def test_copy_carries_the_parts(store: Storage) -> None:
    """The copy is sound, goes on by itself, and an unchanged package costs nothing the second time."""
    there = open_storage(f"memory://{uuid.uuid4().hex}")
    copy(store, there, origin="here")
    assert list(check(there)) == []
    assert opened(there).packages.record(NAME)[0] == opened(store).packages.record(NAME)[0]
    assert "objects copied" not in copy(store, there, origin="here").counts
    for number in range(3):
        publish(opened(store), "@acme/many", f"2.{number}.0")
    copy(store, there, origin="here")
    assert opened(there).packages.record(NAME)[0] == opened(store).packages.record(NAME)[0]
    assert list(check(there)) == []
    publish(opened(there), "@acme/many", "3.0.0")
    assert found(there) == []


def test_copy_that_was_changed_by_itself_is_kept(store: Storage) -> None:
    """Its chain goes on, in its parts, where the source's does not."""
    there = open_storage(f"memory://{uuid.uuid4().hex}")
    copy(store, there, origin="here")
    for number in range(4):
        publish(opened(there), "@acme/many", f"2.{number}.0")
    publish(opened(store), "@acme/many", "3.0.0")
    with pytest.raises(Conflict):
        copy(store, there, origin="here")
    assert "2.3.0" in opened(there).packages.read(NAME)[0]["versions"]


def test_part_that_a_copy_lost_is_carried_again(store: Storage) -> None:
    """What a broken disk made of it is replaced, once the record is to be written."""
    there = open_storage(f"memory://{uuid.uuid4().hex}")
    copy(store, there, origin="here")
    lost, damaged = part_keys(store)[:2]
    there.delete(lost)
    there.replace(damaged, b"{}", there.read(damaged).revision)
    there.delete(UTILS)
    copy(store, there, origin="here")
    assert list(check(there)) == []


def test_chain_is_read_newest_first_and_as_far_as_needed(store: Storage) -> None:
    """Each piece costs one read, when it is asked for."""
    own = home(store, "acme")
    pieces = pieces_of(own, str(NAME))
    assert list(next(pieces)) == list(opened(store).packages.records.own(NAME)[0].chain)
    rest = [event for piece in reversed(list(pieces)) for event in piece]
    assert [*rest, *opened(store).packages.records.own(NAME)[0].chain] == list(chain_of(own, str(NAME)))
    assert list(chain_of(own, str(NAME))) == list(opened(store).packages.record(NAME)[0].chain)


def test_chain_goes_on_when_parts_are_replaced_meanwhile(store: Storage) -> None:
    """Events are added while a chain is read from its end: each of the earlier ones is read once."""
    own = home(store, "acme")
    before = list(chain_of(own, str(NAME)))
    pieces = pieces_of(own, str(NAME))
    read = list(next(pieces))
    for number in range(5):
        publish(opened(store), "@acme/many", f"4.{number}.0")
    for piece in pieces:
        read = [*piece, *read]
    assert read == before


def test_trail_verifies_through_the_parts(store: Storage) -> None:
    """With a checkpoint over it; and a chain whose part is lost does not."""
    organization = opened(store)
    keys = organization.keys.public_keys()
    checkpoints = Checkpoints(organization.storage, org="acme")
    checkpoints.take(all_chains(organization.trail), organization.keys.checkpoint_signer(actor=ACTOR))
    publish(organization, "@acme/many", "5.0.0")
    assert list(verify(organization.trail, all_chains(organization.trail), checkpoints, keys)) == []
    store.delete(part_keys(store, "event_parts")[0])
    assert list(verify(organization.trail, all_chains(organization.trail), checkpoints, keys)) != []


@pytest.fixture
def one_object() -> Storage:
    """A store that the version before records had parts wrote, in memory: a package of 45 versions, in one object."""
    data = (Path(__file__).parent / "data" / "one_object_store.json.gz").read_bytes()
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    for key, text in json.loads(gzip.decompress(data))["objects"].items():
        storage.create(key, text.encode() if isinstance(text, str) else base64.b64decode(text["base64"]))
    return storage


@pytest.mark.parametrize("bounds", [records.BOUNDS, SMALL], ids=["usual", "small"])
def test_store_of_before_is_turned_over(one_object: Storage, bounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens, reads and verifies as it is; every change goes on from there, and nothing is lost on the way."""
    monkeypatch.setattr(records, "BOUNDS", bounds)
    assert list(check(one_object)) == []
    organization = opened(one_object)
    packages = organization.packages
    before, _ = packages.record(NAME)
    assert len(before.packument["versions"]) == 44
    assert not list(PART.keys(home(one_object, "acme")))
    publish(organization, "@acme/many", "2.0.0")
    packages.tag(NAME, "next", "1.9.0", ACTOR)
    assert packages.records.own(NAME)[0].version_parts
    assert packages.records.own(NAME)[0].event_parts
    after, _ = opened(one_object).packages.record(NAME)
    assert {key: after.packument["versions"][key] for key in before.packument["versions"]} == before.packument[
        "versions"
    ]
    assert list(after.packument["versions"]) == [*before.packument["versions"], "2.0.0"]
    assert after.packument["dist-tags"] == {**before.packument["dist-tags"], "latest": "2.0.0", "next": "1.9.0"}
    assert after.retired == before.retired == {"1.7.0"}
    assert list(after.chain[: len(before.chain)]) == list(before.chain)
    for version in after.packument["versions"]:
        with packages.open_tarball(NAME, NAME.tarball(version)).stream as stream:
            assert list(findings(after.packument, version, stream.read(), organization.keys.public_keys())) == []
    for version in ("1.7.0", "1.20.0"):
        with pytest.raises(Conflict):
            publish(organization, "@acme/many", version)
    assert list(check(one_object)) == []
    packages.unpublish(NAME, after.revision, ACTOR)
    assert list(check(one_object)) == []
    assert not list(TARBALL.keys(home(one_object, "acme")))
    assert RECORD.key(NAME) in set(home(one_object, "acme").list())
