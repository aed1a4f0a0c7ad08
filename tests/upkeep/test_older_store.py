"""A store that an older version wrote: it opens, reads, publishes and verifies unchanged.

``data/older_store.json`` is such a store, written by the version before objects were named in one place: each object
under its key, as its text, or in base64 where it is no text. It holds something of every kind: two organizations, one
with a sealed key ring; packages that were published, tagged, deprecated, unpublished in part and as a whole; tokens,
one of them revoked; an administration's chain of several objects with two checkpoints; administrators and a session;
a pending login, failed sign-ins, and a tarball that no record names.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from support.packages import SMALL
from support.publications import ACTOR, publish

from nproxy_mw.access import Actor, Grant, User
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.errors import Conflict, NotFound
from nproxy_mw.npm.names import parse_name
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.packages import records
from nproxy_mw.packages.verify import findings
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import MENDED, locate
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check import OrphanFinding, check
from nproxy_mw.upkeep.copy import copy
from nproxy_mw.upkeep.gc import gc

STORE = json.loads((Path(__file__).parent / "data" / "older_store.json").read_text())
SECRETS = STORE["secrets"]
SEAL = Seal(bytes(range(32)))
NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
UTILS, GONE = parse_name("@acme/utils"), parse_name("@acme/gone")


def clock() -> datetime:
    return NOW


@pytest.fixture(params=[records.BOUNDS, SMALL], ids=["usual", "small"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """The older store, in memory; its records are small, or grow out of themselves at the next change."""
    monkeypatch.setattr(records, "BOUNDS", request.param)
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    for key, stored in STORE["objects"].items():
        storage.create(key, base64.b64decode(stored["base64"]) if isinstance(stored, dict) else stored.encode())
    return storage


def contents(storage: Storage) -> dict[str, bytes]:
    return {key: storage.read(key).data for key in storage.list()}


def opened(storage: Storage, org: str = "acme", **how: Any) -> Organization:
    seal = SEAL if org == "umbrella" else None
    return open_organization(storage, ThreadLocks(), org, is_made=True, seal=seal, clock=clock, **how)


def unexpected(storage: Storage) -> list[str]:
    """What check finds beside the orphan."""
    return [str(finding) for finding in check(storage) if not isinstance(finding, OrphanFinding)]


def test_nothing_is_wrong_with_it(storage: Storage) -> None:
    """check finds the one orphan that was put there, and changes nothing."""
    before = contents(storage)
    assert [type(finding) for finding in check(storage, repair=True)] == [OrphanFinding]
    notes = {key: data for key, data in contents(storage).items() if locate(key).kind is MENDED}
    assert contents(storage) == before | notes


def test_packages_read_as_they_were(storage: Storage) -> None:
    """Versions, tags and deprecations are there, and the bytes of every version."""
    packages = opened(storage).packages
    packument, _ = packages.read(UTILS)
    assert sorted(packument["versions"]) == ["1.0.0", "1.1.0", "1.3.0", "2.0.0-beta.1"]
    assert packument["dist-tags"] == {"latest": "1.3.0", "beta": "2.0.0-beta.1", "stable": "1.0.0"}
    assert packument["versions"]["1.0.0"]["deprecated"] == "use 1.1.0"
    assert [str(name) for name in packages.names()] == ["@acme/utils"]
    with pytest.raises(NotFound):
        packages.read(GONE)


@pytest.mark.parametrize("org", ["acme", "umbrella"])
def test_versions_verify(storage: Storage, org: str) -> None:
    """Each version's bytes, manifest and both signatures agree with the organization's keys, sealed or not."""
    organization = opened(storage, org)
    name = parse_name(f"@{org}/utils")
    packument, _ = organization.packages.read(name)
    for version in packument["versions"]:
        with organization.packages.open_tarball(name, name.tarball(version)).stream as stream:
            assert list(findings(packument, version, stream.read(), organization.keys.public_keys())) == []


def test_tokens_open_what_they_opened(storage: Storage) -> None:
    """The stored tokens are found by their secrets; the revoked one is not."""
    tokens = opened(storage).tokens
    found = tokens.find(SECRETS["acme"])
    assert found is not None
    assert (found.name, found.grants) == ("ci", {Grant.PROXY, Grant.PUBLISH})
    assert tokens.find(SECRETS["revoked"]) is None
    assert [token.name for token in tokens.list(revoked=True)] == ["laptop", "ci"]


def test_settings_read_as_they_were(storage: Storage) -> None:
    """Every setting that was changed is as it was set."""
    settings = opened(storage).settings.get().to_document()
    assert settings["internalScopes"] == ["@acme"]
    assert (settings["publicReads"], settings["versionUnpublish"]) == (False, True)
    assert settings["rules"]["first_seen"]["days"] == 3
    assert settings["rateLimit"] == {"requestsPerMinute": 600}
    assert [exception["package"] for exception in settings["exceptions"]] == ["left-pad"]


def test_people_are_who_they_were(storage: Storage) -> None:
    """Administrators sign in by their passwords, the session goes on, and the removed one is not there."""
    trail = OrganizationDirectory(storage, clock=clock).trail("system")
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    administrators = AdministratorStore(storage, trail=trail, hasher=hasher, clock=clock)
    sessions = SessionStore(storage, epoch_of=administrators.epoch_of, trail=trail, clock=clock)
    assert [one.name for one in administrators.list()] == ["ann", "bob"]
    assert administrators.verify("bob", "another horse battery", actor=Actor(ip="192.0.2.9")).name == "bob"
    signed_in = sessions.find(SECRETS["session"])
    assert signed_in == "ann"
    assert administrators.find("ann") == User("ann")


def test_organizations_are_listed(storage: Storage) -> None:
    """Both organizations are found, with their names."""
    found = OrganizationDirectory(storage).list()
    assert [(one.id, one.name) for one in found] == [("acme", "Acme"), ("umbrella", "Umbrella")]


def test_numbers_stay_given(storage: Storage) -> None:
    """No version that was ever published can be published again."""
    organization = opened(storage)
    for name, version in (("@acme/utils", "1.0.0"), ("@acme/utils", "1.2.0"), ("@acme/gone", "1.0.0")):
        with pytest.raises(Conflict):
            publish(organization, name, version)


@pytest.mark.parametrize("org", ["acme", "umbrella"])
def test_every_change_goes_on(storage: Storage, org: str) -> None:
    """Publishing, tagging, deprecating and unpublishing go on from there, and the trail verifies as a whole."""
    organization = opened(storage, org)
    name = parse_name(f"@{org}/utils")
    publish(organization, str(name), "3.0.0")
    publish(organization, f"@{org}/new", "1.0.0")
    organization.packages.tag(name, "next", "3.0.0", ACTOR)
    for change in (
        lambda revision: organization.packages.deprecate(name, {"3.0.0": "no"}, revision, ACTOR),
        lambda revision: organization.packages.unpublish_versions(name, frozenset({"3.0.0"}), revision, ACTOR),
        lambda revision: organization.packages.unpublish(name, revision, ACTOR),
    ):
        change(organization.packages.read(name)[0]["_rev"])
    organization.settings.change({"publicReads": True}, actor=ACTOR)
    organization.tokens.create("other", [Grant.PROXY], actor=ACTOR)
    for token in organization.tokens.list():
        organization.tokens.revoke(token.id, actor=ACTOR)
    organization.keys.rotate(actor=ACTOR)
    OrganizationDirectory(storage).create("third", actor=ACTOR)
    assert unexpected(storage) == []


def test_copy_is_the_same_store(storage: Storage) -> None:
    """A copy holds every object but what passes: sessions, logins, failed sign-ins, notes and the orphan."""
    destination = open_storage(f"memory://{uuid.uuid4().hex}")
    copy(storage, destination, origin="memory://older")
    before, after = contents(storage), contents(destination)
    assert {key: before[key] for key in after if key in before} == {key: after[key] for key in after if key in before}
    left = before.keys() - after.keys()
    assert {key.rpartition("/")[0].removeprefix("orgs/acme/") for key in left} == {
        "sessions", "attempts/address", "attempts/name", "logins", "upkeep", "tarballs/@acme/utils",
    }  # fmt: skip
    assert unexpected(destination) == []


def test_gc_removes_the_orphan(storage: Storage) -> None:
    """The notes of the older version's run are understood: what it saw long ago is removed now."""
    removed = [orphan for orphan in gc(storage, clock=lambda: NOW + timedelta(days=1)) if orphan.due]
    assert [orphan.key.endswith("-aaaaaaaa.tgz") for orphan in removed] == [True]
    assert list(check(storage)) == []
