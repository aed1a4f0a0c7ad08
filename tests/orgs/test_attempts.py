"""How guessing of passwords is slowed, whom it never keeps out, and what of it is recorded."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from argon2 import PasswordHasher
from support.events import recorded

from nproxy_mw.access import Actor
from nproxy_mw.accounts import administrators as module
from nproxy_mw.accounts import attempts
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.attempts import BY_NAME, BY_NETWORK, KNOWN_FOR, REPORTS, is_over, network_of
from nproxy_mw.errors import Changed, Missing, StorageUnavailable, TooManyRequests, Unauthenticated
from nproxy_mw.storage.layout import ATTEMPTS

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.7"


@pytest.fixture
def administrators(storage, trail, clock):
    return AdministratorStore(storage, trail=trail, hasher=CHEAP, clock=clock)


@pytest.fixture(autouse=True)
def ann(administrators, actor):
    return administrators.create("ann", PASSWORD, actor=actor)


def sign_in(administrators, ip=HERE, name="ann", password=PASSWORD):
    return administrators.verify(name, password, actor=Actor(ip=ip, user_agent="curl/8"))


def fail(administrators, times=1, **who):
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            sign_in(administrators, password="wrong", **who)


def wait_of(administrators, **who):
    with pytest.raises(TooManyRequests) as caught:
        sign_in(administrators, **who)
    assert ("Retry-After", str(caught.value.retry_after)) in caught.value.headers()
    return caught.value.retry_after


def refused(trail):
    return [event for event in trail.chain() if event["event"] == "session.refused"]


def test_guessing_a_name_waits_ever_longer(administrators, clock):
    """After the free attempts each makes the next wait twice as long, up to a bound, in the whole network."""
    fail(administrators, BY_NAME.free)
    waits = []
    for attempt in range(8):
        ip = f"192.0.2.{attempt}"
        waits.append(wait_of(administrators, ip=ip))
        clock.forward(seconds=waits[-1])
        fail(administrators, ip=ip)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_guessing_from_a_network_waits_ever_longer(administrators, clock):
    """Names tried one after the other from one network are slowed as well; other networks are not."""
    for attempt in range(BY_NETWORK.free):
        fail(administrators, name=f"user{attempt}", ip=f"192.0.2.{attempt}")
    assert wait_of(administrators) == 1
    assert sign_in(administrators, ip=ELSEWHERE)


@pytest.mark.parametrize("known", [True, False], ids=["known network", "new network"])
def test_a_stranger_keeps_nobody_out(administrators, known):
    """Whatever fails in a name's place from one network, another one is let through at once."""
    if known:
        sign_in(administrators, ip=ELSEWHERE)
    fail(administrators, BY_NAME.free)
    for _ in range(50):
        assert wait_of(administrators)
    assert sign_in(administrators, ip=ELSEWHERE)


def test_a_known_network_has_counters_of_its_own(administrators, storage, clock, monkeypatch):
    """Even if strangers raised every shared counter there is, and go on doing so."""
    monkeypatch.setattr(attempts, "_DIGITS", 1)
    sign_in(administrators)
    data = b'{"format":1,"failures":99,"last":"%s"}' % clock().isoformat().encode()
    for key in (ATTEMPTS.key(kind, digit) for kind in ("pair", "network") for digit in "0123456789abcdef"):
        with suppress(Missing):
            storage.delete(key)
        storage.create(key, data)
    assert wait_of(administrators, ip=ELSEWHERE)
    assert sign_in(administrators)
    fail(administrators, BY_NAME.free)
    assert wait_of(administrators) == 1


def test_a_known_network_is_slowed_too(administrators, clock):
    """Somebody in the same office may guess: by name, as elsewhere, and until the right password."""
    sign_in(administrators)
    fail(administrators, BY_NAME.free)
    assert wait_of(administrators) == 1
    clock.forward(seconds=1)
    assert sign_in(administrators)
    fail(administrators, BY_NAME.free)


def test_a_network_is_known_to_one_name(administrators, actor):
    """Who may sign in does not pass for others from there."""
    administrators.create("eve", PASSWORD, actor=actor)
    for attempt in range(BY_NETWORK.free):
        fail(administrators, name=f"user{attempt}")
        sign_in(administrators, ip=ELSEWHERE, name="eve")
    sign_in(administrators, ip=ELSEWHERE)
    assert wait_of(administrators, name="eve") == 1


def test_a_known_network_is_forgotten(administrators, storage, clock):
    """After some months without a sign-in from there; its counter may then be removed."""
    sign_in(administrators)
    (key,) = storage.list("attempts/known")
    clock.forward(seconds=KNOWN_FOR.total_seconds() - 1)
    assert not is_over(storage.read(key).data, clock())
    clock.forward(seconds=2)
    assert is_over(storage.read(key).data, clock())
    for attempt in range(BY_NETWORK.free):
        fail(administrators, name=f"user{attempt}")
    assert wait_of(administrators) == 1


def test_signing_in_again_and_again_remembers_once(administrators, storage, clock):
    """One small object for a name and its network, however often; it says a day's and not each moment."""
    for _ in range(3):
        sign_in(administrators)
        clock.forward(minutes=1)
    (key,) = storage.list("attempts/known")
    assert b'"known":"2026-11-22T12:00:00.000Z"' in storage.read(key).data
    clock.forward(days=2)
    sign_in(administrators)
    assert b'"known":"2026-11-24T' in storage.read(key).data


def test_early_attempt_does_not_count(administrators, clock):
    """Who comes too early does not lengthen the wait, in no counter."""
    fail(administrators, BY_NAME.free)
    assert [wait_of(administrators) for _ in range(BY_NETWORK.free)] == [1] * BY_NETWORK.free
    clock.forward(seconds=1)
    assert sign_in(administrators)


def test_right_password_clears_the_name(administrators):
    """After a right password the name's attempts are free again."""
    fail(administrators, BY_NAME.free - 1)
    for _ in range(30):
        assert sign_in(administrators)
    fail(administrators, BY_NAME.free)
    assert wait_of(administrators) == 1


def test_own_right_password_does_not_clear_the_network(administrators):
    """Signing in as oneself in between does not make guessing others' passwords free."""
    for attempt in range(BY_NETWORK.free):
        fail(administrators, name=f"user{attempt}")
        if attempt < BY_NETWORK.free - 1:
            sign_in(administrators)
    assert wait_of(administrators, name="bob") == 1


def test_quiet_hour_forgets(administrators, clock):
    """After an hour without attempts everything is free again."""
    fail(administrators, BY_NAME.free)
    clock.forward(hours=1)
    fail(administrators, BY_NAME.free)


def test_count_holds_for_every_process(administrators, storage, trail, clock):
    """Another process goes on counting where this one was."""
    fail(administrators, BY_NAME.free)
    other = AdministratorStore(storage, trail=trail, hasher=CHEAP, clock=clock)
    assert wait_of(other) == 1


def test_nobody_is_slowed_like_somebody(administrators):
    """How guessing is slowed does not tell which names there are."""
    fail(administrators, BY_NAME.free, name="bob")
    assert wait_of(administrators, name="bob") == 1


def test_many_attempts_at_once_gain_nothing(administrators, monkeypatch):
    """Of many attempts at once no more passwords are looked at than one after the other."""
    looked, answers = [], []
    monkeypatch.setattr(AdministratorStore, "_fits", lambda *_: looked.append(1) and False)

    def attempt():
        try:
            sign_in(administrators, password="wrong")
        except (Unauthenticated, TooManyRequests) as error:
            answers.append(type(error))

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert len(looked) <= BY_NAME.free


def test_lost_races_are_too_many(administrators, storage):
    """An attempt that cannot be counted is not made."""
    fail(administrators)
    storage.broken["replace", "attempts/"] = Changed("lost")
    assert wait_of(administrators) == 1


def test_count_that_cannot_be_taken_back_refuses_nobody(administrators, storage, monkeypatch):
    """A right password is right also when others fail in the same place meanwhile."""
    fits = AdministratorStore._fits

    def fits_and_breaks(*args):
        storage.broken["replace", "attempts/"] = Changed("lost")
        return fits(*args)

    monkeypatch.setattr(AdministratorStore, "_fits", fits_and_breaks)
    assert sign_in(administrators)


@pytest.mark.parametrize("known", [True, False], ids=["known network", "new network"])
def test_a_wait_for_a_turn_is_no_failure(administrators, monkeypatch, trail, known):
    """When as many passwords are hashed as may be, the next is told to come again, and does not count as failed."""
    if known:
        sign_in(administrators)
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    turns = administrators._known_turns if known else administrators._turns
    for _ in range(module.AT_ONCE):
        turns.acquire()
    for _ in range(BY_NETWORK.free + 1):
        assert wait_of(administrators) == 1
    turns.release()
    assert sign_in(administrators)
    assert refused(trail) == []


def test_strangers_leave_turns_for_known_networks(administrators, monkeypatch):
    """However many strangers wait for theirs."""
    sign_in(administrators)
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    for _ in range(module.AT_ONCE):
        administrators._turns.acquire()
    assert wait_of(administrators, ip=ELSEWHERE) == 1
    assert sign_in(administrators)


def test_forged_count_shuts_nobody_out(administrators, storage):
    """A count dated far ahead, by a broken clock, is forgotten."""
    fail(administrators, BY_NAME.free)
    for key in list(storage.list("attempts")):
        data = storage.read(key).data.replace(b"2026-", b"2126-")
        storage.replace(key, data, storage.read(key).revision)
    assert sign_in(administrators)


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.3.7", "192.0.3.0/24"),
        ("2001:db8::1", "2001:db8::/48"),
        ("2001:db8:0:ffff::1", "2001:db8::/48"),
        ("2001:db8:1::1", "2001:db8:1::/48"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_network_is_what_a_customer_has(ip, network):
    """A /24 of IPv4, a /48 of IPv6; what is no address is all one."""
    assert network_of(ip) == network


def test_failures_are_recorded(administrators, trail):
    """With the name that was tried, the address and the client."""
    fail(administrators)
    (event,) = refused(trail)
    assert (event["administrator"], event["attempts"]) == ("ann", 1)
    assert (event["ip"], event["userAgent"]) == (HERE, "curl/8")
    assert "by" not in event


def test_a_name_that_nobody_has_is_not_recorded(administrators, trail):
    """Some people type their password where the name belongs."""
    fail(administrators, name="correct horse battery")
    fail(administrators, name="bob", ip=ELSEWHERE)
    assert [event.get("administrator") for event in refused(trail)] == [None, None]
    assert "horse" not in repr(trail.chain())


def test_ever_fewer_failures_of_a_network_are_recorded(administrators, trail):
    """The first, the second, the fourth and so on; each says how many there were."""
    for attempt in range(BY_NETWORK.free):
        fail(administrators, name=f"user{attempt}")
    assert [event["attempts"] for event in refused(trail)] == [1, 2, 4, 8, 16]


def test_guessing_does_not_fill_the_trail(administrators, trail, clock):
    """So many in an hour, from however many networks; then again."""
    for number in range(REPORTS + 5):
        fail(administrators, name=f"user{number}", ip=f"203.0.{number}.1")
    assert len(refused(trail)) == REPORTS
    clock.forward(hours=1, seconds=1)
    fail(administrators, ip="203.1.1.1")
    assert len(refused(trail)) == REPORTS + 1


def test_a_failure_that_cannot_be_recorded_is_still_refused(administrators, storage, caplog):
    """As ever, with a line in the log."""
    storage.broken["replace", "audit/administration"] = StorageUnavailable("full")
    fail(administrators)
    assert "a failed sign-in is missing in the audit trail" in caplog.text


def test_a_right_password_records_nothing(administrators, trail):
    """What begins is a session, which has an event of its own."""
    sign_in(administrators)
    assert recorded(trail) == ["administrator.created"]
