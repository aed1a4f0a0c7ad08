"""Administrators, their passwords, and how guessing is slowed."""

import logging
import threading

import pytest
from argon2 import PasswordHasher
from support.events import recorded

from nproxy_mw.access import Actor, User
from nproxy_mw.accounts import administrators as module
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.attempts import BY_ADDRESS, BY_NAME, network_of
from nproxy_mw.errors import (
    BadRequest,
    Changed,
    Conflict,
    NotFound,
    StorageUnavailable,
    TooManyRequests,
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


def test_right_password_is_its_administrator(administrators, ann):
    """Who knows the password is the administrator."""
    assert administrators.verify("ann", PASSWORD, ip=IP) == ann == User("ann")


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
        administrators.verify(name, password, ip=IP)
    assert caught.value.message == "The name or the password is wrong."


def test_nobody_costs_as_much_as_somebody(administrators, ann, monkeypatch):
    """An attempt in nobody's name works through a hash as well."""
    verified = []
    monkeypatch.setattr(PasswordHasher, "verify", lambda _, hashed, password: verified.append(hashed) or True)
    with pytest.raises(Unauthenticated):
        administrators.verify("bob", PASSWORD, ip=IP)
    assert len(verified) == 1


def test_password_is_the_same_from_every_keyboard(administrators, actor):
    """Two spellings of one text in Unicode are one password."""
    administrators.create("zoe", "Zoe\u0308 and her horse", actor=actor)
    assert administrators.verify("zoe", "Zo\u00eb and her horse", ip=IP)


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
    assert administrators.verify("ann", PASSWORD, ip=IP)


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
    assert administrators.verify("ann", "another password", ip=IP)
    assert administrators.epoch_of("ann") not in {None, before}
    with pytest.raises(Unauthenticated):
        administrators.verify("ann", PASSWORD, ip=IP)


def test_removed_administrator_is_nobody(administrators, ann, actor):
    """A removed administrator is nobody; the name may be given again."""
    administrators.remove("ann", actor=actor)
    assert (administrators.list(), administrators.epoch_of("ann")) == ([], None)
    with pytest.raises(Unauthenticated):
        administrators.verify("ann", PASSWORD, ip=IP)
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
    later.verify("ann", PASSWORD, ip=IP)
    assert b"t=2" in storage.read("administrators/ann.json").data
    assert later.epoch_of("ann") == before
    assert later.verify("ann", PASSWORD, ip=IP)


def test_failing_renewal_refuses_nobody(administrators, storage, trail, clock, ann):
    """A right password is right also when its new hash cannot be written."""
    storage.broken["replace", "administrators/"] = StorageUnavailable("full")
    stronger = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
    assert AdministratorStore(storage, trail=trail, hasher=stronger, clock=clock).verify("ann", PASSWORD, ip=IP)


def fail(administrators, times, name="ann", ip=IP):
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            administrators.verify(name, "wrong", ip=ip)


def wait_of(administrators, name="ann", ip=IP):
    with pytest.raises(TooManyRequests) as caught:
        administrators.verify(name, PASSWORD, ip=ip)
    assert ("Retry-After", str(caught.value.retry_after)) in caught.value.headers()
    return caught.value.retry_after


def test_guessing_a_name_waits_ever_longer(administrators, clock, ann):
    """After the free attempts each makes the next wait twice as long, up to a bound, from wherever it comes."""
    fail(administrators, BY_NAME.free)
    waits = []
    for attempt in range(8):
        waits.append(wait_of(administrators, ip=f"198.51.100.{attempt}"))
        clock.forward(seconds=waits[-1])
        fail(administrators, 1, ip=f"198.51.100.{attempt}")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_guessing_from_an_address_waits_ever_longer(administrators, clock, ann):
    """Names tried one after the other from one address are slowed as well; others are not."""
    for attempt in range(BY_ADDRESS.free):
        fail(administrators, 1, name=f"user{attempt}")
    assert wait_of(administrators) == 1
    assert administrators.verify("ann", PASSWORD, ip="198.51.100.1")


def test_early_attempt_does_not_count(administrators, clock, ann):
    """Who comes too early does not lengthen the wait."""
    fail(administrators, BY_NAME.free)
    assert [wait_of(administrators) for _ in range(5)] == [1] * 5
    clock.forward(seconds=1)
    assert administrators.verify("ann", PASSWORD, ip=IP)


def test_right_password_clears_the_name(administrators, clock, ann):
    """After a right password the name's attempts are free again, and the address has only its failures."""
    fail(administrators, BY_NAME.free - 1)
    for _ in range(30):
        assert administrators.verify("ann", PASSWORD, ip=IP)
    fail(administrators, BY_NAME.free)
    assert wait_of(administrators) == 1


def test_own_right_password_does_not_clear_the_address(administrators, clock, ann):
    """Signing in as oneself in between does not make guessing others' passwords free."""
    for attempt in range(BY_ADDRESS.free):
        fail(administrators, 1, name=f"user{attempt}")
        if attempt < BY_ADDRESS.free - 1:
            administrators.verify("ann", PASSWORD, ip=IP)
    assert wait_of(administrators) == 1


def test_quiet_hour_forgets(administrators, clock, ann):
    """After an hour without attempts everything is free again."""
    fail(administrators, BY_NAME.free)
    clock.forward(hours=1)
    fail(administrators, BY_NAME.free)


def test_count_holds_for_every_process(administrators, storage, trail, clock, ann):
    """Another process goes on counting where this one was."""
    fail(administrators, BY_NAME.free)
    other = AdministratorStore(storage, trail=trail, hasher=CHEAP, clock=clock)
    assert wait_of(other) == 1


def test_nobody_is_slowed_like_somebody(administrators, ann):
    """How guessing is slowed does not tell which names there are."""
    fail(administrators, BY_NAME.free, name="bob", ip="198.51.100.1")
    assert wait_of(administrators, name="bob", ip="198.51.100.2") == 1


def test_many_attempts_at_once_gain_nothing(administrators, ann, monkeypatch):
    """Of many attempts at once no more passwords are looked at than one after the other."""
    looked, refused = [], []
    monkeypatch.setattr(AdministratorStore, "_fits", lambda *_: looked.append(1) and False)

    def attempt():
        try:
            administrators.verify("ann", "wrong", ip=IP)
        except (Unauthenticated, TooManyRequests) as error:
            refused.append(type(error))

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 20
    assert len(looked) <= BY_NAME.free


def test_lost_races_are_too_many(administrators, storage, ann):
    """An attempt that cannot be counted is not made."""
    fail(administrators, 1)
    storage.broken["replace", "attempts/"] = Changed("lost")
    assert wait_of(administrators) == 1


def test_count_that_cannot_be_taken_back_refuses_nobody(administrators, storage, ann, monkeypatch):
    """A right password is right also when others fail in the same place meanwhile."""
    fits = AdministratorStore._fits

    def fits_and_breaks(*args):
        storage.broken["replace", "attempts/"] = Changed("lost")
        return fits(*args)

    monkeypatch.setattr(AdministratorStore, "_fits", fits_and_breaks)
    assert administrators.verify("ann", PASSWORD, ip=IP)


def test_busy_process_refuses_quickly(administrators, ann, monkeypatch):
    """When as many passwords are hashed as may be, the next is told to come again, and does not count as failed."""
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    for _ in range(module.AT_ONCE):
        administrators._turns.acquire()
    for _ in range(BY_NAME.free + 1):
        assert wait_of(administrators) == 1
    administrators._turns.release()
    assert administrators.verify("ann", PASSWORD, ip=IP)


def test_password_of_another_process_is_right_at_once(storage, trail, clock, administrators, ann, actor):
    """A sign-in is decided on what is stored, and not on what was remembered a moment ago."""
    lagging = AdministratorStore(FreshnessCache(storage, 3600.0), trail=trail, hasher=CHEAP, clock=clock)
    assert lagging.verify("ann", PASSWORD, ip=IP)
    administrators.set_password("ann", "another password", actor=actor)
    assert lagging.verify("ann", "another password", ip=IP)
    assert lagging.epoch_of("ann", current=True) == administrators.epoch_of("ann")


def test_forged_count_shuts_nobody_out(administrators, storage, ann):
    """A count dated far ahead, by a broken clock, is forgotten."""
    fail(administrators, BY_NAME.free)
    for key in list(storage.list("attempts")):
        data = storage.read(key).data.replace(b"2026-", b"2126-")
        storage.replace(key, data, storage.read(key).revision)
    assert administrators.verify("ann", PASSWORD, ip=IP)


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_address_is_what_one_host_has(ip, network):
    """One host of IPv6 is one network; what is no address is all one."""
    assert network_of(ip) == network


@pytest.mark.parametrize("key", ["administrators/ann.json", "attempts/name/c92.json"])
def test_damaged_objects_open_nothing(administrators, storage, ann, actor, key):
    """A damaged record or count is an error of the storage: it neither lets in nor forgets."""
    fail(administrators, 1)
    keys = [found for found in storage.list() if found.rpartition("/")[0] == key.rpartition("/")[0]]
    for found in keys:
        storage.replace(found, b'{"format":1}', storage.read(found).revision)
    with pytest.raises(StorageUnavailable):
        administrators.verify("ann", PASSWORD, ip=IP)


def test_password_is_nowhere(administrators, storage, trail, ann, actor, caplog):
    """No stored object, event, repr or log line holds a password; no event, repr or log line its hash."""
    with caplog.at_level(logging.DEBUG):
        administrators.verify("ann", PASSWORD, ip=IP)
        fail(administrators, 1)
    shown = [repr(trail.chain()), repr(administrators._find("ann")), repr(ann), caplog.text, *storage.list()]
    assert not any(PASSWORD in place or "$argon2" in place for place in shown)
    assert not any(PASSWORD.encode() in storage.read(key).data for key in storage.list())


def test_moved_record_opens_nothing(administrators, ann, storage):
    """A record that was copied under another name signs nobody in under it."""
    storage.create("administrators/eve.json", storage.read("administrators/ann.json").data)
    with pytest.raises(Unauthenticated):
        administrators.verify("eve", PASSWORD, ip=IP)
    assert administrators.find("eve") is None
    assert administrators.epoch_of("eve") is None
    assert administrators.list() == [ann]
