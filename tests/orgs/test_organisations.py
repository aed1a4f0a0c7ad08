"""The organisations of one storage."""

import pytest

from nproxy_mw.errors import BadRequest, Conflict, StorageUnavailable
from nproxy_mw.orgs.directory import Organisations
from nproxy_mw.orgs.settings import Settings, SettingsStore


@pytest.fixture
def organisations(storage, clock):
    return Organisations(storage, clock=clock)


def test_created_organisation_is_there(organisations, storage, clock, actor):
    """A new organisation exists for every process, and is told of in its own trail."""
    made = organisations.create("acme", "Acme Ltd", actor=actor)
    assert made.to_document() == {"id": "acme", "name": "Acme Ltd", "createdAt": "2026-11-22T12:00:00.000Z"}
    assert Organisations(storage, clock=clock).find("acme") == made
    (event,) = organisations.trail("acme").chain()
    assert (event["event"], event["org"], event["name"]) == ("organisation.created", "acme", "Acme Ltd")


def test_taken_id_is_a_conflict(organisations, actor):
    """An id is given once."""
    organisations.create("acme", actor=actor)
    with pytest.raises(Conflict):
        organisations.create("acme", "Another", actor=actor)
    assert organisations.find("acme").name == "acme"


@pytest.mark.parametrize(
    "org",
    ["", "-", "-a", "a-", "Acme", "a.b", "a_b", "a/b", "..", "a" * 64, "xn--e1a", "é", "a\n", 5, None, "api", "www"],
)
def test_bad_id_is_refused(organisations, storage, actor, org):
    """What is no label of a host name, or is kept for the server, is no organisation."""
    with pytest.raises(BadRequest):
        organisations.create(org, "Name", actor=actor)
    assert list(storage.list()) == []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, 5])
def test_bad_name_is_refused(organisations, actor, name):
    """A name is short and printable."""
    with pytest.raises(BadRequest):
        organisations.create("acme", name, actor=actor)


@pytest.mark.parametrize("org", ["", "..", "a/b", "ACME", "a" * 64])
def test_impossible_id_asks_no_storage(organisations, storage, org):
    """What cannot be an id does not exist, and has no home."""
    assert not organisations.exists(org)
    assert storage.calls == []
    with pytest.raises(ValueError, match="id"):
        organisations.home(org)


def test_list_is_by_id_and_reads_no_packages(organisations, storage, actor):
    """Organisations are listed by id, without walking through what they store."""
    for org in ("b", "a", "c"):
        organisations.create(org, actor=actor)
        organisations.home(org).create("packages/x/record.json", b"{}")
    storage.calls.clear()
    assert [found.id for found in organisations.list()] == ["a", "b", "c"]
    assert [key for verb, key in storage.calls if verb == "list"] == ["organisations"]


def test_ensure_makes_once(organisations, actor):
    """A server for one organisation makes it at its first start, and finds it at the next."""
    assert organisations.ensure("default", actor=actor) == organisations.ensure("default", actor=actor)
    assert len(organisations.trail("default").chain()) == 1


def test_organisation_is_made_with_settings(organisations, storage, clock, actor):
    """So that settings that are not there are lost, also for a process that has never seen them."""
    organisations.create("acme", actor=actor)
    home, trail = organisations.home("acme"), organisations.trail("acme")
    assert SettingsStore(home, trail=trail, is_made=True, clock=clock).get() == Settings()
    home.delete("settings.json")
    with pytest.raises(StorageUnavailable, match="settings are gone"):
        SettingsStore(home, trail=trail, is_made=True, clock=clock).get()
    with pytest.raises(StorageUnavailable, match="settings are gone"):
        organisations.ensure("acme", actor=actor)


def test_ensure_finds_what_another_makes_meanwhile(organisations, storage, actor):
    """Of two servers that start at once one makes the organisation, and the other finds it."""
    find = organisations.find

    def find_and_lose(org):
        found = find(org)
        if found is None:
            Organisations(storage).create(org, "theirs", actor=actor)
        return found

    organisations.find = find_and_lose
    assert organisations.ensure("default", actor=actor).name == "theirs"


def test_homes_do_not_mix(organisations):
    """What one organisation stores, another does not see."""
    organisations.home("a").create("settings.json", b"1")
    assert list(organisations.home("b").list()) == []
    assert list(organisations.home("a").list()) == ["settings.json"]


def test_untold_creation_is_told_by_repair(organisations, storage, actor):
    """An organisation whose maker died before telling of it is told of by repair."""
    storage.broken["create", "administration"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        organisations.create("acme", actor=actor)
    storage.broken.clear()
    assert organisations.exists("acme")
    assert (organisations.repair("acme"), organisations.repair("acme")) == (True, False)
    assert organisations.repair("nobody") is False


def test_damaged_organisation_is_no_absent_one(organisations, storage):
    """A damaged record is an error of the storage."""
    storage.create("organisations/acme.json", b'{"format":1}')
    with pytest.raises(StorageUnavailable):
        organisations.exists("acme")
