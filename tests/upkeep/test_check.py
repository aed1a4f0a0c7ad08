"""What a check of a whole store finds, and what it does not take for wrong."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from argon2 import PasswordHasher
from support.publications import ACTOR, publish
from support.stores import UTILS, edit, found, keys_of, overwrite

from nproxy_mw.access import Grant
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.audit import trail
from nproxy_mw.errors import NotFound
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.gc import gc
from nproxy_mw.upkeep.progress import Progress


def manifest_of(record: Any) -> Any:
    return record["packument"]["versions"]["1.0.0"]


def dist_of(record: Any) -> Any:
    return manifest_of(record)["dist"]


def entry_of(record: Any) -> Any:
    return record["tarballs"]["1.0.0"]


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_sound_store_has_no_findings(store):
    """In a store that nothing happened to, nothing is found, and everything is looked at."""
    progress = Progress()
    assert list(check(store, progress=progress)) == []
    assert progress.counts["packages"] == 4
    assert progress.counts["versions"] == 6


def test_empty_store_has_no_findings(storage):
    """Nothing is wrong with nothing."""
    assert found(storage) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1], id="cut short"),
        pytest.param(lambda data: data + b"\0", id="longer"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="one bit"),
    ],
)
def test_changed_tarball_is_found(store, change):
    """One bit of one tarball is found, by the version it is of."""
    key = keys_of(store, "orgs/acme/tarballs")[0]
    overwrite(store, key, change(store.read(key).data))
    findings = found(store)
    assert findings
    assert all(finding.startswith(f"{key}: version ") for finding in findings)


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_missing_tarball_is_found(store):
    """A version whose bytes are gone is named."""
    key = keys_of(store, "orgs/acme/tarballs")[0]
    store.delete(key)
    assert [finding.endswith("its tarball is missing") for finding in found(store)] == [True]


@pytest.mark.parametrize(("change", "sentence"), [
    pytest.param(lambda it: it["packument"].update(name="@acme/other"), "the name of another package", id="name"),
    pytest.param(lambda it: it["packument"]["versions"].pop("1.0.0"), "of 1.0.0, which is no", id="version"),
    pytest.param(lambda it: it["tarballs"].pop("1.0.0"), "version 1.0.0 has no tarball", id="tarball"),
    pytest.param(lambda it: it["packument"]["dist-tags"].pop("latest"), "no dist-tag 'latest'", id="latest"),
    pytest.param(lambda it: it["packument"]["dist-tags"].update(next="9.0.0"), "next names 9.0.0", id="tag"),
    pytest.param(lambda it: it["packument"]["time"].pop("1.0.0"), "no time for 1.0.0", id="no time"),
    pytest.param(lambda it: it["packument"]["time"].update({"9.0.0": "2026"}), "a time for 9.0.0", id="time too much"),
    pytest.param(lambda it: it["packument"]["versions"]["1.0.0"].update(version="9"), "of 1.0.0 is of", id="manifest"),
    pytest.param(lambda it: it["burnt"].append("1.0.0"), "1.0.0 is there and was unpublished", id="burnt"),
    pytest.param(lambda it: it.update(packument=None), "unpublished and still names tarballs", id="unpublished"),
    pytest.param(lambda it: it["chain"].pop(0), "one was dropped", id="chain cut"),
    pytest.param(lambda it: it.update(chain=it["chain"][:1]), "no event records that 1.1.0 was published", id="untold"),
    pytest.param(lambda it: it["chain"][0].update(ip="192.0.2.1"), "this event was edited", id="chain edited"),
    pytest.param(lambda it: dist_of(it).update(integrity="sha512-x"), "the integrity", id="integrity"),
    pytest.param(lambda it: entry_of(it).update(size=7), "does not have the 7 bytes", id="size"),
    pytest.param(lambda it: manifest_of(it).update(dependencies={"evil": "1"}), "manifest differs", id="dependencies"),
    pytest.param(lambda it: manifest_of(it).update(scripts={"postinstall": "x"}), "manifest differs", id="scripts"),
    pytest.param(lambda it: manifest_of(it).update(engines={"node": "1"}), "differs from its tarball in", id="engines"),
    pytest.param(lambda it: dist_of(it).update(shasum="x"), "the shasum", id="shasum"),
    pytest.param(lambda it: it.update(format=3), "written by a newer version", id="format"),
    pytest.param(lambda it: it.update(packument=[]), "this is damaged", id="no packument"),
    pytest.param(lambda it: it.update(tarballs=None), "this is damaged", id="no tarballs"),
])  # fmt: skip
def test_contradiction_in_a_record_is_found(store, change, sentence):
    """Whatever in a record contradicts the rest is told, under its package; other packages are not accused."""
    edit(store, UTILS, change)
    findings = found(store)
    assert any(sentence in finding for finding in findings), findings
    assert all("umbrella" not in finding and "gone" not in finding for finding in findings)


@pytest.mark.parametrize(
    "part", ["record.json", "settings.json", "exception-requests.json", "tokens/", "audit/administration.json"]
)
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\0" * 100, b'{"format":1}'])
def test_damaged_object_is_found(store, part, data):
    """An object that cannot be understood is found, and the check goes on to the end."""
    key = keys_of(store, part)[0]
    overwrite(store, key, data)
    progress = Progress()
    findings = [str(finding) for finding in check(store, progress=progress)]
    assert any(finding.startswith(f"{key}") for finding in findings), findings
    assert progress.counts["packages"] == 4


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_orphan_is_found(store):
    """Bytes that no record names are found, and marked as what gc removes."""
    store.create("orgs/acme/tarballs/@acme/utils/0123.tgz", b"left behind")
    store.create("orgs/acme/tarballs/@acme/never/0123.tgz", b"left behind")
    findings = list(check(store))
    assert [type(finding) for finding in findings] == [OrphanFinding, OrphanFinding]


def test_unknown_object_is_found(store):
    """An object that no part of us wrote is told of."""
    store.create("orgs/acme/notes.txt", b"")
    store.create("backup/settings.json", b"")
    assert {finding.partition(":")[0] for finding in found(store)} == {"orgs/acme/notes.txt", "backup/settings.json"}


def test_vanished_record_is_found(store):
    """A package whose record was removed is told of by the index, and its tarballs are orphans."""
    store.delete(UTILS)
    assert sum("no chain holds this event" in finding for finding in found(store)) >= 3


def test_missing_index_event_is_repaired(store):
    """An event that the index lacks is found, and put into it with repair."""
    store.delete(keys_of(store, "audit/index")[0])
    assert ["the index lacks this event" in finding for finding in found(store)] == [True]
    progress = Progress()
    assert list(check(store, repair=True, progress=progress)) == []
    assert progress.counts["changes put into its index"] == 1
    assert found(store) == []


def test_untold_change_is_repaired(store, acme, monkeypatch):
    """A token whose event a crash left untold is found, and told of with repair."""
    monkeypatch.setattr(trail.Trail, "append", lambda self, told: None)
    acme.tokens.create("untold", [Grant.PROXY], actor=ACTOR)
    monkeypatch.undo()
    assert ["does not record the last change" in finding for finding in found(store)] == [True]
    assert list(check(store, repair=True)) == []
    assert found(store) == []


def test_planted_token_is_found(store):
    """A token's record that tells no event was put there by somebody who can write to the storage."""
    edit(store, keys_of(store, "orgs/acme/tokens")[0], lambda it: it.update(events=[]))
    assert any("somebody put it here" in finding for finding in found(store))


def test_accounts_are_looked_at(store):
    """Organizations and administrators: damage is found, and what is untold is told with repair."""
    organizations = OrganizationDirectory(store)
    organizations.create("newborn", actor=ACTOR)
    store.create("administrators/ann.json", b"{")
    store.create("attempts/name/012.json", b"{}")
    assert [finding.partition(":")[0] for finding in found(store)] == ["administrators/ann.json"]
    store.delete("orgs/newborn/audit/administration.json")
    assert any(finding.startswith("organisations/newborn.json: the audit trail does not") for finding in found(store))
    assert [finding.partition(":")[0] for finding in map(str, check(store, repair=True))] == ["administrators/ann.json"]


def test_organization_that_nothing_records_is_found(store):
    """Somebody who can write to the storage can put an organization there, or move one, and no event says so."""
    organizations = OrganizationDirectory(store)
    for org in ("newborn", "moved"):
        organizations.create(org, actor=ACTOR)
    edit(store, "organisations/newborn.json", lambda it: it.update(events=[]))
    overwrite(store, "organisations/moved.json", store.read("organisations/newborn.json").data)
    assert sorted(found(store)) == [
        "organisations/moved.json: this is damaged: restore it from a backup",
        "organisations/newborn.json: no event records who made this organization, so somebody put it here",
    ]


@pytest.fixture
def moved(store):
    """A store with an administrator and a session, and a function that puts one object under another one's key."""
    directory = OrganizationDirectory(store)
    directory.create("newborn", actor=ACTOR)
    trail = directory.trail("system")
    administrators = AdministratorStore(store, trail=trail, hasher=PasswordHasher(1, 8, 1))
    user = administrators.create("ann", "correct horse battery", actor=ACTOR)
    SessionStore(store, epoch_of=administrators.epoch_of, trail=trail).create(user, actor=ACTOR)

    def move(folder, other):
        key = f"{folder}/{other}.json"
        store.create(key, store.read(keys_of(store, folder)[0]).data)
        return key

    return move


@pytest.mark.parametrize(
    ("folder", "other"),
    [("orgs/acme/tokens", "f" * 64), ("administrators", "eve"), ("sessions", "f" * 64), ("organisations", "other")],
)
def test_object_under_the_key_of_another_is_found(store, moved, folder, other):
    """A record that was moved opens nothing, and is reported: of tokens, administrators, sessions and organizations."""
    assert f"{moved(folder, other)}: this is damaged: restore it from a backup" in found(store)


@pytest.mark.parametrize("do", [check, gc], ids=["check", "gc"])
def test_unknown_organization_is_no_sound_one(store, do):
    """A mistyped name is an error, and one that was made and has nothing yet is not."""
    with pytest.raises(NotFound, match="no organization nobody"):
        list(do(store, ["acme", "nobody"]))
    OrganizationDirectory(store).create("newborn", actor=ACTOR)
    assert list(do(store, ["newborn"])) == []
    assert list(do(store, ["umbrella", "acme"])) == []


@pytest.mark.parametrize("part", [
    "record.json", "settings.json", "tokens/", "keys.json", "audit/administration.json", "organisations/"
])  # fmt: skip
def test_newer_object_is_no_damaged_one(store, part):
    """What a newer version wrote is named as such: there is nothing to restore, and nothing to accuse anybody of."""
    OrganizationDirectory(store).create("newborn", actor=ACTOR)
    key = keys_of(store, part)[0]
    overwrite(store, key, store.read(key).data.replace(b'"format":1', b'"format":9'))
    findings = found(store)
    assert findings
    assert all("newer version" in finding for finding in findings), findings


def test_one_organization_is_checked_alone(store):
    """What is wrong with another organization is none of its business."""
    overwrite(store, UTILS, b"")
    assert list(check(store, ["umbrella"])) == []
    assert list(check(store, ["acme"])) != []


@pytest.mark.parametrize("storage", ["memory", "local"], indirect=True)
def test_unpublish_meanwhile_is_no_finding(store, acme, monkeypatch):
    """A package that is unpublished while it is looked at is looked at again."""
    name = parse_name("@acme/utils")
    real = type(acme.storage).open
    waiting = [True]

    def unpublish_first(self, key):
        if waiting and "utils" in key:
            waiting.pop()
            acme.packages.unpublish(name, acme.packages.record(name)[0].revision, ACTOR)
        return real(self, key)

    monkeypatch.setattr(type(acme.storage), "open", unpublish_first)
    assert [finding for finding in found(store) if "tarball" in finding] == []


def test_check_holds_few_packages_at_once(storage, acme):
    """The check of many packages is no list of them: the first finding comes before the last package is read."""
    for number in range(60):
        publish(acme, f"@acme/p{number:03}", "1.0.0")
    first = next(key for key in storage.list("orgs/acme/packages"))
    overwrite(storage, first, b"")
    progress = Progress()
    next(check(storage, ["acme"], progress=progress))
    assert progress.counts["packages"] < 40


def test_many_tarballs_of_nothing_are_streamed(store):
    """Orphans of one package are found whatever their number."""
    for _ in range(50):
        store.create(f"orgs/acme/tarballs/@acme/utils/{secrets.token_hex(16)}.tgz", b"")
    assert len(found(store)) == 50
