"""Requests for exceptions on storage."""

from datetime import timedelta

import orjson
import pytest

from nproxy_mw.access import Actor
from nproxy_mw.errors import Busy, Changed, Conflict, StorageUnavailable
from nproxy_mw.orgs.exception_requests import ExceptionRequestStore
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.rules.values import InvalidFields
from nproxy_mw.times import timestamp

KEY = "exception-requests.json"
WISH = {"package": "left-pad", "versions": ["^1.0.0"], "reason": "needed"}
TOKEN = Actor(name="ci", token_hash="ab" * 32)


@pytest.fixture
def settings(storage, trail, clock):
    return SettingsStore(storage, trail=trail, clock=clock)


@pytest.fixture
def requests(storage, trail, settings, clock):
    return ExceptionRequestStore(storage, trail=trail, settings=settings, clock=clock)


@pytest.fixture
def answer(clock):
    return {"expiresAt": timestamp(clock() + timedelta(days=9)), "comment": "fine"}


def kinds(trail):
    return [event["event"] for event in trail.chain()]


def test_nothing_stored_is_no_request(requests, storage):
    """And nothing is written to say so."""
    assert list(requests.list()) == []
    assert list(storage.list()) == []


def test_request_is_by_who_asks(requests, clock):
    """With the name, the token's identifier and the time; newest first."""
    first = requests.ask(WISH, actor=TOKEN)
    second = requests.ask(WISH, actor=Actor(name="ann"))
    assert (first.requested_by, first.token_id, first.requested_at) == ("ci", "ab" * 8, clock())
    assert (second.requested_by, second.token_id) == ("ann", "")
    assert list(requests.list()) == [second, first]


def test_events_name_the_request_and_its_subject(requests, trail, actor, answer):
    """What was asked, by which token, and what was answered."""
    asked = requests.ask(WISH, actor=TOKEN)
    requests.approve(asked.id, answer, actor=actor)
    requested, approved, changed = trail.chain()
    assert (requested["event"], requested["tokenHash"], requested["by"]) == ("exception.requested", "ab" * 32, "ci")
    assert (approved["event"], approved["by"], approved["ip"]) == ("exception.approved", "ann", "192.0.2.7")
    for event in (requested, approved):
        assert {key: event[key] for key in ("request", *WISH)} == {"request": asked.id, **WISH}
    assert (approved["comment"], approved["expiresAt"]) == ("fine", answer["expiresAt"])
    assert changed["new"]["exceptions"] == [WISH | {"author": "ann", "expiresAt": answer["expiresAt"]}]


def test_denial_is_recorded_without_an_end(requests, trail, actor):
    """And the settings stay."""
    asked = requests.ask(WISH, actor=TOKEN)
    denied = requests.deny(asked.id, {}, actor=actor)
    assert (denied.state, denied.answer.by, denied.answer.comment) == ("denied", "ann", None)
    assert kinds(trail) == ["exception.requested", "exception.denied"]
    assert "expiresAt" not in trail.chain()[1]
    with pytest.raises(Conflict):
        requests.approve(asked.id, {"expiresAt": "2099-01-01T00:00:00Z"}, actor=actor)


def test_approval_cut_short_lets_nothing_through_and_is_completed(requests, settings, storage, trail, actor, answer):
    """A crash before the exception was added: the request is approved; approving again adds it, once."""
    asked = requests.ask(WISH, actor=TOKEN)
    storage.broken["create", "settings.json"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        requests.approve(asked.id, answer, actor=actor)
    assert requests.list()[0].state == "approved"
    assert len(settings.get().exceptions) == 0
    storage.broken.clear()
    for _ in range(2):
        later = answer | {"expiresAt": "2099-01-01T00:00:00Z"}
        assert requests.approve(asked.id, later, actor=actor).answer.comment == "fine"
    (exception,) = settings.get().exceptions
    assert timestamp(exception.expires_at) == answer["expiresAt"]
    assert kinds(trail) == ["exception.requested", "exception.approved", "settings.changed"]


def test_pending_event_is_appended_by_the_next_change(requests, storage, trail, actor):
    """A request that is stored stands, also when the trail cannot be written: the event follows."""
    storage.broken["create", "audit/administration"] = StorageUnavailable("full")
    requests.ask(WISH, actor=TOKEN)
    storage.broken.clear()
    requests.deny(requests.list()[0].id, {}, actor=actor)
    assert kinds(trail) == ["exception.requested", "exception.denied"]


def test_lost_races_end_in_busy(requests, storage):
    """Nothing is stored."""
    requests.ask(WISH, actor=TOKEN)
    storage.broken["replace", KEY] = Changed("lost")
    with pytest.raises(Busy):
        requests.ask(WISH | {"package": "other"}, actor=TOKEN)
    assert len(requests.list()) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "package"), (WISH | {"more": 1}, "more"), (WISH | {"rules": ["no rule"]}, "rules")],
)
def test_invalid_request_is_not_stored(requests, storage, given, field):
    """With a sentence for the field."""
    with pytest.raises(InvalidFields) as caught:
        requests.ask(given, actor=TOKEN)
    assert field in caught.value.fields
    assert list(storage.list()) == []


@pytest.mark.parametrize("end", ["2026-11-22T12:00:00Z", "2026-11-22T11:59:59Z"], ids=["now", "past"])
def test_exception_ends_in_the_future(requests, actor, end):
    """The request stays open otherwise."""
    asked = requests.ask(WISH, actor=TOKEN)
    with pytest.raises(InvalidFields, match="past"):
        requests.approve(asked.id, {"expiresAt": end}, actor=actor)
    assert requests.list()[0].answer is None


@pytest.mark.parametrize("stored", [b"{", b'{"format":1}', b'{"format":1,"requests":[{}],"events":[]}'])
def test_damaged_requests_are_an_error(requests, storage, stored):
    """And not an empty list."""
    storage.create(KEY, stored)
    with pytest.raises(StorageUnavailable):
        requests.list()


def test_what_a_newer_version_stored_is_kept(requests, storage, actor):
    """Members that this version does not know survive its writes."""
    requests.ask(WISH, actor=TOKEN)
    document = orjson.loads(storage.read(KEY).data)
    document["requests"][0]["team"] = "web"
    document["more"] = 1
    storage.replace(KEY, orjson.dumps(document), storage.read(KEY).revision)
    requests.deny(requests.list()[0].id, {}, actor=actor)
    after = orjson.loads(storage.read(KEY).data)
    assert (after["requests"][0]["team"], after["more"]) == ("web", 1)
