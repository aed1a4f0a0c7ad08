"""Administrators, their passwords, and how guessing is slowed."""

import logging
import threading

import pytest
from argon2 import PasswordHasher
from support.events import recorded

from nproxy_mw.access import Actor, User
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.errors import (
    BadRequest,
    Conflict,
    NotFound,
    StorageUnavailable,
    Unauthenticated,
)
from nproxy_mw.storage.freshness import FreshnessCache

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
IP = "192.0.2.7"


@pytest.fixture
def administrators(storage, trail, clock):
    return AdministratorStore(storage, trail=trail, hasher=CHEAP, clock=clock)


@pytest.fixture
def ann(administrators, actor):
    return administrators.create("ann", PASSWORD, actor=actor)


def fail(administrators):
    with pytest.raises(Unauthenticated):
        administrators.verify("ann", "wrong", actor=Actor(ip=IP))


def test_right_password_is_its_administrator(administrators, ann):
    """Who knows the password is the administrator."""
    assert administrators.verify("ann", PASSWORD, actor=Actor(ip=IP)) == ann == User("ann")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ann", PASSWORD + "x", id="wrong password"),
        pytest.param("ann", "", id="empty password"),
        pytest.param("ann", "x" * 5000, id="long password"),
        pytest.param("ann", "\ud800", id="surrogate"),
        pytest.param("bob", PASSWORD, id="nobody"),
        pytest.param("Ann", PASSWORD, id="other case"),
        pytest.param("../ann", PASSWORD, id="path"),
        pytest.param("", PASSWORD, id="no name"),
        pytest.param("\ud800", PASSWORD, id="surrogate name"),
    ],
)
def test_wrong_pair_is_refused_alike(administrators, ann, name, password):
    """Whatever is wrong, the answer is the same sentence."""
    with pytest.raises(Unauthenticated) as caught:
        administrators.verify(name, password, actor=Actor(ip=IP))
    assert caught.value.message == "The name or the password is wrong."


def test_nobody_costs_as_much_as_somebody(administrators, ann, monkeypatch):
    """An attempt in nobody's name works through a hash as well."""
    verified = []
    monkeypatch.setattr(PasswordHasher, "verify", lambda _, hashed, password: verified.append(hashed) or True)
    with pytest.raises(Unauthenticated):
        administrators.verify("bob", PASSWORD, actor=Actor(ip=IP))
    assert len(verified) == 1


def test_password_is_the_same_from_every_keyboard(administrators, actor):
    """Two spellings of one text in Unicode are one password."""
    administrators.create("zoe", "Zoe\u0308 and her horse", actor=actor)
    assert administrators.verify("zoe", "Zo\u00eb and her horse", actor=Actor(ip=IP))


@pytest.mark.parametrize("name", ["", "A", "a b", ".a", "a.", "a/b", "a" * 65, "é", "a\n", 5, None])
def test_bad_name_is_refused(administrators, actor, name):
    """A name is short, lower case and plain."""
    with pytest.raises(BadRequest):
        administrators.create(name, PASSWORD, actor=actor)


@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 1025, 5, None])
def test_bad_password_is_refused_unquoted(administrators, storage, actor, password):
    """A password is neither short nor endless; the refusal does not quote it, and nothing is stored."""
    with pytest.raises(BadRequest) as caught:
        administrators.create("ann", password, actor=actor)
    assert not password or str(password) not in caught.value.message
    assert list(storage.list()) == []


def test_taken_name_is_a_conflict(administrators, ann, actor):
    """A name is given once, and the first password stays."""
    with pytest.raises(Conflict):
        administrators.create("ann", "another password", actor=actor)
    assert administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))


def test_names_taken_at_once_are_given_once(storage, trail, clock):
    """Of several who create one administrator at once, one does."""
    results = []

    def create(number):
        store = AdministratorStore(storage, trail=trail, hasher=CHEAP, clock=clock)
        try:
            results.append(store.create("ann", f"{PASSWORD} {number}", actor=Actor()))
        except Conflict:
            results.append(None)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, results)) == [False, False, True]


def test_new_password_replaces_the_old(administrators, ann, actor):
    """After a change the old password is wrong."""
    before = administrators.epoch_of("ann")
    administrators.set_password("ann", "another password", actor=actor)
    assert administrators.verify("ann", "another password", actor=Actor(ip=IP))
    assert administrators.epoch_of("ann") not in {None, before}
    with pytest.raises(Unauthenticated):
        administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))


def test_removed_administrator_is_nobody(administrators, ann, actor):
    """A removed administrator is nobody; the name may be given again."""
    administrators.remove("ann", actor=actor)
    assert (administrators.list(), administrators.epoch_of("ann")) == ([], None)
    with pytest.raises(Unauthenticated):
        administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))
    with pytest.raises(NotFound):
        administrators.remove("ann", actor=actor)
    administrators.create("ann", PASSWORD, actor=actor)
    assert administrators.list() == [User("ann")]


def test_unknown_administrator_gets_no_password(administrators, actor):
    """Setting a password makes nobody an administrator."""
    with pytest.raises(NotFound):
        administrators.set_password("ann", PASSWORD, actor=actor)


def test_changes_are_told(administrators, trail, ann, actor):
    """Every change of an administrator is told of, by whom."""
    administrators.set_password("ann", "another password", actor=actor)
    administrators.remove("ann", actor=actor)
    assert recorded(trail) == ["administrator.created", "administrator.password-changed", "administrator.removed"]
    assert {event["administrator"] for event in trail.chain()} == {"ann"}


def test_pending_event_is_appended_by_the_next_change(administrators, storage, trail, actor, caplog):
    """An administrator who is stored can sign in, also when the trail cannot be written: the event follows."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    administrators.create("ann", PASSWORD, actor=actor)
    assert "the audit trail does not show it yet" in caplog.text
    storage.broken.clear()
    administrators.set_password("ann", "another password", actor=actor)
    assert recorded(trail) == ["administrator.created", "administrator.password-changed"]


def test_weak_hash_is_renewed(administrators, storage, trail, clock, ann):
    """A right password is hashed anew when the parameters have become stronger, and no session ends."""
    before = administrators.epoch_of("ann")
    stronger = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    later = AdministratorStore(storage, trail=trail, hasher=stronger, clock=clock)
    later.verify("ann", PASSWORD, actor=Actor(ip=IP))
    assert b"t=2" in storage.read("administrators/ann.json").data
    assert later.epoch_of("ann") == before
    assert later.verify("ann", PASSWORD, actor=Actor(ip=IP))


def test_failing_renewal_refuses_nobody(administrators, storage, trail, clock, ann):
    """A right password is right also when its new hash cannot be written."""
    storage.broken["replace", "administrators/"] = StorageUnavailable("full")
    stronger = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    assert AdministratorStore(storage, trail=trail, hasher=stronger, clock=clock).verify(
        "ann", PASSWORD, actor=Actor(ip=IP)
    )


def test_password_of_another_process_is_right_at_once(storage, trail, clock, administrators, ann, actor):
    """A sign-in is decided on what is stored, and not on what was remembered a moment ago."""
    lagging = AdministratorStore(FreshnessCache(storage, 3600.0), trail=trail, hasher=CHEAP, clock=clock)
    assert lagging.verify("ann", PASSWORD, actor=Actor(ip=IP))
    administrators.set_password("ann", "another password", actor=actor)
    assert lagging.verify("ann", "another password", actor=Actor(ip=IP))
    assert lagging.epoch_of("ann", current=True) == administrators.epoch_of("ann")


@pytest.mark.parametrize("folder", ["administrators", "attempts/pair", "attempts/network", "attempts/known"])
def test_damaged_objects_open_nothing(administrators, storage, ann, folder):
    """A damaged record or count is an error of the storage: it neither lets in nor forgets."""
    if folder == "attempts/known":
        administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))
    else:
        fail(administrators)
    keys = list(storage.list(folder))
    assert keys
    for found in keys:
        storage.replace(found, b'{"format":1}', storage.read(found).revision)
    with pytest.raises(StorageUnavailable):
        administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))


def test_password_is_nowhere(administrators, storage, trail, ann, actor, caplog):
    """No stored object, event, repr or log line holds a password; no event, repr or log line its hash."""
    with caplog.at_level(logging.DEBUG):
        administrators.verify("ann", PASSWORD, actor=Actor(ip=IP))
        fail(administrators)
    shown = [repr(trail.chain()), repr(administrators._find("ann")), repr(ann), caplog.text, *storage.list()]
    assert not any(PASSWORD in place or "$argon2" in place for place in shown)
    assert not any(PASSWORD.encode() in storage.read(key).data for key in storage.list())


def test_moved_record_opens_nothing(administrators, ann, storage):
    """A record that was copied under another name signs nobody in under it."""
    storage.create("administrators/eve.json", storage.read("administrators/ann.json").data)
    with pytest.raises(Unauthenticated):
        administrators.verify("eve", PASSWORD, actor=Actor(ip=IP))
    assert administrators.find("eve") is None
    assert administrators.epoch_of("eve") is None
    assert administrators.list() == [ann]
