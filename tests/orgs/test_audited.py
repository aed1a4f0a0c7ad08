"""One change of an audited object: stored once, recorded once, and told to its maker as what it is."""

from __future__ import annotations

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from support.events import recorded

from nproxy_mw.access import Actor
from nproxy_mw.audit.audited import AuditedObject, changing_many
from nproxy_mw.audit.events import AuditedChange, verify
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Busy, Changed, Conflict, Exists, StorageUnavailable
from nproxy_mw.storage import documents, open_storage
from nproxy_mw.storage.swaps import ATTEMPTS
from nproxy_mw.testing.faults import Faulty

KEY = "settings.json"
ANN, BOB = Actor(name="ann", request_id="r1"), Actor(name="bob", request_id="r2")


def added(before, now, *, word):
    """A step that adds a word to a list."""
    words = list(before["words"]) if before else []
    if word in words:
        return AuditedChange(None)
    return AuditedChange({"words": [*words, word]}, [("word.added", {"word": word})])


@pytest.fixture
def back():
    """The storage behind, which other processes write to."""
    return open_storage(f"memory://{uuid.uuid4().hex}")


def thing(storage, clock=None):
    return AuditedObject(storage, KEY, Trail(storage, org="acme", **({"clock": clock} if clock else {})))


def words(storage):
    return documents.find(storage, KEY)["words"]


def test_change_is_stored_with_its_event(back, clock):
    """Who, where and when are stamped in one place; the event stands in the object and in the chain."""
    after = thing(back, clock).change(partial(added, word="a"), ANN)
    (event,) = Trail(back, org="acme").chain()
    assert after == {"words": ["a"], "events": [{key: event[key] for key in event if key not in ("previous", "hash")}]}
    assert documents.find(back, KEY) == after | {"format": 1}
    assert (event["event"], event["word"], event["by"], event["org"]) == ("word.added", "a", "ann", "acme")
    assert event["time"] == "2026-11-22T12:00:00.000Z"


def test_change_of_nothing_writes_nothing(back):
    """A step that returns no state leaves the object and the trail as they are."""
    thing(back).change(partial(added, word="a"), ANN)
    before = back.read(KEY)
    assert thing(back).change(partial(added, word="a"), BOB) is None
    assert back.read(KEY) == before
    assert recorded(Trail(back, org="acme")) == ["word.added"]


def test_refused_change_writes_nothing(back):
    """What a step raises comes out."""

    def refuse(before, now):
        raise Conflict("No.")

    with pytest.raises(Conflict):
        thing(back).change(refuse, ANN)
    assert list(back.list()) == []


def test_unknown_fields_are_kept(back):
    """What a newer version added to an object survives a change by this one."""
    back.create(KEY, documents.encode({"words": [], "added": {"b": 1}, "events": []}))
    thing(back).change(partial(added, word="a"), ANN)
    assert documents.find(back, KEY)["added"] == {"b": 1}


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
@pytest.mark.parametrize("first", [True, False], ids=["creation", "replacement"])
def test_fault_anywhere_is_told_as_it_is(clock, kind, first):
    """At each operation in turn: success means stored, and whatever happened a repetition ends well, recorded once."""
    for at in itertools.count(1):
        back = open_storage(f"memory://{uuid.uuid4().hex}")
        if not first:
            thing(back).change(partial(added, word="a"), ANN)
        faulty = Faulty(back, at, kind)
        try:
            thing(faulty).change(partial(added, word="b"), BOB)
            assert "b" in words(back)
        except StorageUnavailable:
            assert kind == "fail" or faulty.operations == at, "an answer that was lost is looked for"
        thing(back).change(partial(added, word="b"), BOB)
        trail = Trail(back, org="acme")
        assert [event["word"] for event in trail.chain()] == ([] if first else ["a"]) + ["b"]
        assert verify(trail.chain()) == []
        if not faulty.struck:
            break


def test_lost_answer_of_the_write_is_success(back):
    """A change that was stored is never answered 503."""
    thing(back).change(partial(added, word="a"), ANN)
    writes = []

    class Lost(Faulty):
        def replace(self, key, data, revision):
            revision = self.storage.replace(key, data, revision)
            if key == KEY:
                writes.append(key)
                raise StorageUnavailable("The answer was lost.")
            return revision

    assert thing(Lost(back, 0)).change(partial(added, word="b"), BOB)["words"] == ["a", "b"]
    assert len(writes) == 1
    assert recorded(Trail(back, org="acme")) == ["word.added"] * 2


REPLIES = [
    pytest.param(Changed("A resend met another writer's object."), id="a resend is refused"),
    pytest.param(StorageUnavailable("The answer was lost."), id="no answer"),
]


class Overtaken(Faulty):
    """A storage whose answer about the object is lost once, after another process has written over it."""

    def __init__(self, storage, reply):
        super().__init__(storage, 0)
        self.reply = reply

    def meet(self, key):
        if key == KEY and self.reply:
            reply, self.reply = self.reply, None
            thing(self.storage).change(partial(added, word="theirs"), ANN)
            raise reply

    def create(self, key, data):
        revision = self.storage.create(key, data)
        self.meet(key)
        return revision

    def replace(self, key, data, revision):
        revision = self.storage.replace(key, data, revision)
        self.meet(key)
        return revision


@pytest.mark.parametrize("reply", REPLIES)
def test_change_that_was_stored_and_overtaken_succeeds(back, reply):
    """The newest state shows the other's event; ours is in the trail, where the other put it before writing over it."""
    thing(back).change(partial(added, word="a"), ANN)
    after = thing(Overtaken(back, reply)).change(partial(added, word="b"), BOB)
    assert after["words"] == ["a", "b"]
    assert words(back) == ["a", "b", "theirs"]
    assert [event["word"] for event in Trail(back, org="acme").chain()] == ["a", "b", "theirs"]


@pytest.mark.parametrize("reply", [REPLIES[1], pytest.param(Exists("Taken."), id="a resend is refused")])
def test_creation_that_was_stored_and_overtaken_succeeds(back, reply):
    """The same for an object that was not there."""
    thing(Overtaken(back, reply)).change(partial(added, word="b"), BOB)
    assert words(back) == ["b", "theirs"]
    assert [event["word"] for event in Trail(back, org="acme").chain()] == ["b", "theirs"]


def test_lost_races_end_in_busy(back):
    """A change that loses every race is Busy, and neither stored nor recorded."""
    thing(back).change(partial(added, word="a"), ANN)

    class Losing(Faulty):
        lost = 0

        def replace(self, key, data, revision):
            if key == KEY:
                self.lost += 1
                raise Changed("Somebody else was quicker.")
            return self.storage.replace(key, data, revision)

    losing = Losing(back, 0)
    with pytest.raises(Busy):
        thing(losing).change(partial(added, word="b"), BOB)
    assert losing.lost == ATTEMPTS
    assert words(back) == ["a"]
    assert recorded(Trail(back, org="acme")) == ["word.added"]


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_event_is_appended_once_wherever_the_answer_is_lost(back, kind):
    """An append whose answer was lost is recognized, so that its event is in the chain once."""
    for at in itertools.count(1):
        back = open_storage(f"memory://{uuid.uuid4().hex}")
        Trail(back, org="acme").record("a.one", ANN)
        faulty = Faulty(back, at, kind)
        try:
            Trail(faulty, org="acme").record("a.two", ANN)
            assert recorded(Trail(back, org="acme")) == ["a.one", "a.two"]
        except StorageUnavailable:
            assert kind == "fail" or at == 1
        if not faulty.struck:
            break


def test_pending_event_is_found_behind_events_of_a_slower_clock(back, clock, monkeypatch):
    """It is in the chain already, before a segment of a host whose clock is hours behind: it is not appended again."""
    monkeypatch.setattr("nproxy_mw.audit.trail.FULL", 1)
    trail = Trail(back, org="acme", clock=clock)
    event = trail.stamp(ANN).events([("a.one", {})])[0]
    trail.append([event])
    behind = Trail(back, org="acme", clock=lambda: clock() - timedelta(hours=23))
    behind.record("a.two", BOB)
    assert trail.append_pending([event]) == 0
    assert recorded(trail) == ["a.one", "a.two"]


def test_many_changes_are_appended_together(back, clock):
    """Each is in its object and in the chain, in one object of the index; the chain is read and written once."""
    trail = Trail(back, org="acme", clock=clock)
    with changing_many(back, trail, ANN) as change, ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: change(f"tokens/{number}.json", partial(added, word="a")), range(50)))
    chain = trail.chain()
    assert verify(chain) == []
    assert sorted(event["id"] for event in chain) == sorted(one["events"][0]["id"] for one in made)
    assert len(list(back.list("audit/index"))) == 1
    assert len(trail.page(event="word.added", limit=100)[0]) == 50


def test_many_changes_of_nothing_append_nothing(back):
    """But what was pending in an object that stays as it is."""
    trail = Trail(back, org="acme")
    thing(back).change(partial(added, word="a"), ANN)
    before = trail.chain()
    back.delete("audit/administration.json")
    with changing_many(back, trail, BOB) as change:
        assert change(KEY, partial(added, word="a")) is None
    assert [event["id"] for event in trail.chain()] == [event["id"] for event in before]


def test_error_among_many_changes_keeps_what_was_changed(back):
    """The caller gives up after one object: its event is in the chain."""
    trail = Trail(back, org="acme")

    def give_up():
        with changing_many(back, trail, ANN) as change:
            change(KEY, partial(added, word="a"))
            raise Busy("Somebody else was quicker.")

    with pytest.raises(Busy):
        give_up()
    assert recorded(trail) == ["word.added"]


def test_what_ends_among_many_changes_is_appended_later(back):
    """The objects that were changed keep their events; the next change of one appends them."""
    trail = Trail(back, org="acme")
    with suppress(KeyboardInterrupt), changing_many(back, trail, ANN) as change:
        change(KEY, partial(added, word="a"))
        raise KeyboardInterrupt
    assert trail.chain() == []
    assert len(list(back.list("upkeep/dirty"))) == 1
    thing(back).change(partial(added, word="b"), BOB)
    assert [event["word"] for event in trail.chain()] == ["a", "b"]


def test_many_changes_stand_while_the_chain_is_out_of_reach(back, caplog):
    """That is logged, and the mark for the next start stays."""
    trail = Trail(Faulty(back, 2, times=100), org="acme")  # all but the mark
    with changing_many(back, trail, ANN) as change:
        change(KEY, partial(added, word="a"))
    assert words(back) == ["a"]
    assert "events that the audit trail does not show yet: 1" in caplog.text
    trail.dirty.settle()
    assert len(list(back.list("upkeep/dirty"))) == 1


def test_a_lost_answer_among_many_changes_leaves_the_mark(back):
    """What is not known to be stored may be stored: the next start looks."""
    trail = Trail(back, org="acme")
    with changing_many(Faulty(back, 2, "fail", times=100), trail, ANN) as change, pytest.raises(StorageUnavailable):
        change(KEY, partial(added, word="a"))
    trail.dirty.settle()
    assert len(list(back.list("upkeep/dirty"))) == 1
