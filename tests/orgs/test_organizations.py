"""The organizations of one storage."""

import pytest
from support.events import recorded

from nproxy_mw.errors import BadRequest, Conflict, StorageUnavailable
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.settings import Settings, SettingsStore
from nproxy_mw.testing.faults import Faulty


@pytest.fixture
def organizations(storage, clock):
    return OrganizationDirectory(storage, clock=clock)


def test_created_organization_is_there(organizations, storage, clock, actor):
    """A new organization exists for every process, and is told of in its own trail."""
    made = organizations.create("acme", "Acme Ltd", actor=actor)
    assert made.to_document() == {"id": "acme", "name": "Acme Ltd", "createdAt": "2026-11-22T12:00:00.000Z"}
    assert OrganizationDirectory(storage, clock=clock).find("acme") == made
    (event,) = organizations.trail("acme").chain()
    assert (event["event"], event["org"], event["name"]) == ("organization.created", "acme", "Acme Ltd")


def test_taken_id_is_a_conflict(organizations, actor):
    """An id is given once."""
    organizations.create("acme", actor=actor)
    with pytest.raises(Conflict):
        organizations.create("acme", "Another", actor=actor)
    assert organizations.find("acme").name == "acme"


@pytest.mark.parametrize(
    "org",
    ["", "-", "-a", "a-", "Acme", "a.b", "a_b", "a/b", "..", "a" * 64, "xn--e1a", "é", "a\n", 5, None, "api", "www"],
)
def test_bad_id_is_refused(organizations, storage, actor, org):
    """What is no label of a host name, or is kept for the server, is no organization."""
    with pytest.raises(BadRequest):
        organizations.create(org, "Name", actor=actor)
    assert list(storage.list()) == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, 5])
def test_bad_name_is_refused(organizations, actor, name):
    """A name is short and printable."""
    with pytest.raises(BadRequest):
        organizations.create("acme", name, actor=actor)


@pytest.mark.parametrize("org", ["", "..", "a/b", "ACME", "a" * 64])
def test_impossible_id_asks_no_storage(organizations, storage, org):
    """What cannot be an id does not exist, and has no home."""
    assert not organizations.exists(org)
    assert storage.calls == []
    with pytest.raises(ValueError, match="id"):
        organizations.home(org)


def test_list_is_by_id_and_reads_no_packages(organizations, storage, actor):
    """Organizations are listed by id, without walking through what they store."""
    for org in ("b", "a", "c"):
        organizations.create(org, actor=actor)
        organizations.home(org).create("packages/x/record.json", b"{}")
    storage.calls.clear()
    assert [found.id for found in organizations.list()] == ["a", "b", "c"]
    assert [key for verb, key in storage.calls if verb == "list"] == ["organisations"]


def test_ensure_makes_once(organizations, actor):
    """A server for one organization makes it at its first start, and finds it at the next."""
    assert organizations.ensure("default", actor=actor) == organizations.ensure("default", actor=actor)
    assert len(organizations.trail("default").chain()) == 1


def test_organization_is_made_with_settings(organizations, storage, clock, actor):
    """So that settings that are not there are lost, also for a process that has never seen them."""
    organizations.create("acme", actor=actor)
    home, trail = organizations.home("acme"), organizations.trail("acme")
    assert SettingsStore(home, trail=trail, is_made=True, clock=clock).get() == Settings()
    home.delete("settings.json")
    with pytest.raises(StorageUnavailable, match="settings are gone"):
        SettingsStore(home, trail=trail, is_made=True, clock=clock).get()
    with pytest.raises(StorageUnavailable, match="settings are gone"):
        organizations.ensure("acme", actor=actor)


def test_ensure_finds_what_another_makes_meanwhile(organizations, storage, actor):
    """Of two servers that start at once one makes the organization, and the other finds it."""
    find = organizations.find

    def find_and_lose(org):
        found = find(org)
        if found is None:
            OrganizationDirectory(storage).create(org, "theirs", actor=actor)
        return found

    organizations.find = find_and_lose
    assert organizations.ensure("default", actor=actor).name == "theirs"


def test_homes_do_not_mix(organizations):
    """What one organization stores, another does not see."""
    organizations.home("a").create("settings.json", b"1")
    assert list(organizations.home("b").list()) == []
    assert list(organizations.home("a").list()) == ["settings.json"]


def test_organization_that_is_stored_is_made(organizations, storage, actor):
    """Also when the trail cannot be written, or the answer of the storage is lost: it is not made twice."""
    storage.broken["create", "administration"] = StorageUnavailable("full")
    assert organizations.create("acme", actor=actor).id == "acme"
    storage.broken.clear()
    with pytest.raises(Conflict):
        organizations.create("acme", actor=actor)
    lost = OrganizationDirectory(Faulty(storage, 3, "lost-answer"))
    assert lost.create("beta", actor=actor).id == "beta"
    assert recorded(lost.trail("beta")) == ["organization.created"]


def test_damaged_organization_is_no_absent_one(organizations, storage):
    """A damaged record is an error of the storage."""
    storage.create("organisations/acme.json", b'{"format":1}')
    with pytest.raises(StorageUnavailable):
        organizations.exists("acme")
