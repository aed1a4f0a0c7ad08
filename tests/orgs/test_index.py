"""The index of events by time: its keys, what a page lists and opens, and what earlier versions wrote."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import event

from nproxy_mw.access import Actor
from nproxy_mw.audit import events, index, newest_first, pages, verify
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, StorageUnavailable
from nproxy_mw.storage import LocalStorage, open_storage

PUBLISH = [
    ("package.published", {"version": "1.0.0"}),
    ("package.signed", {"version": "1.0.0", "keyId": "a"}),
    ("package.signed", {"version": "1.0.0", "keyId": "b"}),
]


def publish(trail, actor, package="@acme/utils", facts=PUBLISH):
    """A change of a package, in its record and in the index."""
    key = f"packages/{package}/record.json"
    new = trail.stamp(actor).events(facts, package=package)
    if key in set(trail.storage.list()):
        stored = trail.storage.read(key)
        chain = orjson.loads(stored.data)["chain"]
        longer = events.extend(chain, new)
        trail.storage.replace(key, orjson.dumps({"format": 1, "chain": longer}), stored.revision)
    else:
        chain, longer = [], events.extend([], new)
        trail.storage.create(key, orjson.dumps({"format": 1, "chain": longer}))
    trail.index(longer, len(chain))
    return longer[len(chain) :]


def as_earlier_versions_wrote(trail):
    """Turns the index into what an earlier version would have written."""
    for key in list(trail.storage.list("audit/index")):
        for each in orjson.loads(trail.storage.read(key).data)["events"]:
            trail.storage.create(index.event_key(each), orjson.dumps(each))
        trail.storage.delete(key)


def findings(trail):
    checkpoints = Checkpoints(trail.storage, org=trail.org)
    return [str(finding) for finding in verify.verify(trail, verify.all_chains(trail), checkpoints, [])]


def filled(trail):
    """How much a start adds to the index that it lists as a whole, or by the folder."""
    chains = [chain for _, chain in verify.all_chains(trail)]
    counts = [verify.fill(trail.storage, chains, keys(trail.storage)) for keys in (index.ListedFolders, index.keys)]
    return sum(counts)


def reads(storage):
    return [key for verb, key in storage.calls if verb == "read"]


def everything(trail, limit=200, **filters):
    found, cursor = trail.page(limit=limit, **filters)
    while cursor:
        more, cursor = trail.page(after=cursor, limit=limit, **filters)
        found += more
    return found


def test_change_is_one_object(trail, storage, actor):
    """All events of a publish are in one object, whose key names their kinds."""
    made = publish(trail, actor)
    (key,) = storage.list("audit/index")
    assert "-package.published+package.signed~2-" in key
    assert orjson.loads(storage.read(key).data)["events"] == made
    assert everything(trail) == made[::-1]


def test_large_change_has_several_objects(trail, storage, actor, monkeypatch):
    """No object is larger than a page needs; a page may begin and end within one."""
    monkeypatch.setattr(index, "MAX_EVENTS", 4)
    made = publish(trail, actor, facts=[("package.unpublished", {"version": f"{n}.0.0"}) for n in range(11)])
    assert len(list(storage.list("audit/index"))) == 3
    storage.delete("packages/@acme/utils/record.json")
    for limit in (1, 3, 4, 5, 200):
        assert everything(trail, limit) == made[::-1]


def test_change_of_many_kinds_is_looked_into(trail, storage, actor):
    """Kinds that no key has room for, or no key can hold, are found all the same."""
    kinds = [f"kind.{'x' * 30}{number}" for number in range(5)]
    made = publish(trail, actor, facts=[(kind, {}) for kind in kinds])
    (key,) = storage.list("audit/index")
    assert "-various-" in key
    odd = publish(trail, actor, "@acme/odd", [("../odd kind", {})])
    assert trail.page(event=kinds[3])[0] == [made[3]]
    assert trail.page(event="../odd kind")[0] == odd
    assert index.kinds_of(storage, date(2026, 11, 22)) == dict.fromkeys([*kinds, "../odd kind"], 1)


def test_counts_open_nothing(trail, storage, actor):
    """The kinds of a day are counted from keys, those of earlier versions among them."""
    publish(trail, actor)
    as_earlier_versions_wrote(trail)
    publish(trail, actor, "@acme/other")
    storage.calls.clear()
    counts = index.kinds_of(storage, date(2026, 11, 22))
    assert counts == {"package.published": 2, "package.signed": 4}
    assert reads(storage) == []


def test_package_is_answered_from_its_own_chain(trail, storage, actor, clock):
    """Neither the index is listed, nor anything but the record read, however long ago the package changed."""
    old = publish(trail, actor, "@acme/old")
    for _ in range(5):
        clock.forward(days=40)
        publish(trail, actor)
    storage.calls.clear()
    assert trail.page(package="@acme/old")[0] == old[::-1]
    assert storage.calls == [("read", "packages/@acme/old/record.json")]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_of_a_package_cover_its_chain_once(trail, actor, clock, limit):
    """In the order of the chain, also when the clocks of hosts disagree; filters hold as elsewhere."""
    chain = publish(trail, actor)
    clock.forward(minutes=-10)
    chain += publish(trail, actor)
    assert everything(trail, limit, package="@acme/utils") == chain[::-1]
    signed = [each for each in chain[::-1] if each["event"] == "package.signed"]
    assert everything(trail, limit, package="@acme/utils", event="package.signed") == signed


def test_cursor_of_another_list_is_refused(trail, actor, clock):
    """A package has no page behind the event of another one."""
    publish(trail, actor)
    (other, *_) = publish(trail, actor, "@acme/other")
    with pytest.raises(BadRequest):
        trail.page(package="@acme/utils", after=index.cursor_of(other))


@pytest.mark.parametrize(("data", "says"), [(b"{", "damaged"), (b'{"format":9}', "newer version")])
def test_damaged_record_is_no_empty_trail(trail, storage, actor, data, says):
    """What cannot be read must not look like a package without events."""
    publish(trail, actor)
    key = "packages/@acme/utils/record.json"
    storage.replace(key, data, storage.read(key).revision)
    with pytest.raises(StorageUnavailable, match=says):
        trail.page(package="@acme/utils")


@pytest.mark.parametrize("package", ["lodash", "../x", "", "x" * 300, "@acme/none", "a/../../b"])
def test_package_without_a_record_is_looked_for_in_the_index(trail, storage, actor, package):
    """The administration's chain tells of packages of the upstream. Only what may be about the package is opened."""
    trail.record("rule.blocked", actor, package="lodash", rule="malware")
    trail.record("rule.blocked", actor, package="express", rule="malware")
    storage.calls.clear()
    found = [each["package"] for each in trail.page(package=package)[0]]
    assert found == (["lodash"] if package == "lodash" else [])
    assert len([key for key in reads(storage) if key.startswith("audit/")]) == len(found)


def test_package_among_others_of_one_change(trail, actor):
    """Its events are found by its whole name, however it is written in JSON; what is no text finds nothing."""
    names = ["axios", "axios-x", "a", "@a/b", 'quo"te']
    facts = [("rule.blocked", {"package": name, "rule": "score", "versions": ["1.0.0"]}) for name in names]
    trail.append(trail.stamp(actor).events(facts))
    for name in names:
        found, _ = trail.page(package=name)
        assert [event["package"] for event in found] == [name]
    assert trail.page(package="axio")[0] == trail.page(package="\udcff")[0] == []


def test_event_that_names_many_packages_is_about_each(trail, actor):
    """What a rule could not decide is one event for all of them."""
    trail.record("rule.undecided", actor, packages=["lodash", "express"])
    for package in ("lodash", "express"):
        assert [each["event"] for each in trail.page(package=package)[0]] == ["rule.undecided"]
    assert trail.page(package="react")[0] == []


def test_decisions_about_a_name_that_is_internal_now_are_found(trail, actor):
    """Asked for by their kind, they are in the index and not in the package's chain."""
    trail.record("rule.blocked", actor, package="@acme/utils", rule="malware")
    publish(trail, actor)
    assert [each["event"] for each in trail.page(package="@acme/utils", event="rule.blocked")[0]] == ["rule.blocked"]


def test_events_of_one_actor_open_no_others(trail, storage, actor):
    """Keys tell who made a change."""
    trail.record("a.one", actor)
    trail.record("a.two", Actor(name="bob"))
    trail.record("a.three", Actor())
    storage.calls.clear()
    assert [each["event"] for each in trail.page(by="bob")[0]] == ["a.two"]
    assert len(reads(storage)) == 1


def test_span_of_time_is_listed_alone(trail, storage, clock, actor, monkeypatch):
    """*since* belongs to a page, *until* does not; what lies outside is neither listed nor opened."""
    monkeypatch.setattr(newest_first, "FEW", 2)
    made = []
    for _ in range(60):
        clock.forward(hours=5)
        made.append(event(trail, actor, "a.one"))
        trail.append([made[-1]])
    since, until = (datetime.fromisoformat(made[place]["time"]) for place in (20, 25))
    storage.calls.clear()
    found = trail.page(since=since, until=until)[0]
    assert [each["id"] for each in found] == [each["id"] for each in made[20:25][::-1]]
    assert len(reads(storage)) == 5
    hours = [key for verb, key in storage.calls if verb in ("list", "list_names") and key.count("/") == 5]
    assert hours
    days = {key.removeprefix("audit/index/")[:10] for key in hours}
    assert days <= {f"{since:%Y/%m/%d}", f"{until:%Y/%m/%d}"}


def test_busy_day_is_listed_by_the_hour(trail, storage, clock, actor, monkeypatch):
    """Where a day has many changes, a page lists the hours that it shows."""
    monkeypatch.setattr(newest_first, "FEW", 10)
    clock.now = clock.now.replace(hour=0)
    for _ in range(22 * 4):
        clock.forward(minutes=15)
        trail.record("a.one", actor)
    storage.calls.clear()
    found, cursor = trail.page(limit=6)
    assert len(found) == 6
    day = [key for verb, key in storage.calls if "list" in verb and key.startswith("audit/index/2026/11/22")]
    # The last hour has no change: a folder of this machine that is not there is not looked into.
    hours = [key for key in day if not key.endswith("/23")]
    assert hours == [f"audit/index/2026/11/22{hour}" for hour in ("", "/22", "/21", "/20")]
    storage.calls.clear()
    trail.page(limit=6, after=cursor)
    assert len([verb for verb, _ in storage.calls if verb == "list"]) <= 6


def test_page_of_a_busy_hour_looks_into_its_folder_once(trail, storage, clock, actor):
    """And opens what it shows. Where folders can be looked into, nothing is listed with what is below it."""
    clock.now = clock.now.replace(minute=0)
    for _ in range(600):
        clock.forward(seconds=1)
        index.write(trail.storage, trail.stamp(actor).events([("a.one", {})]))
    storage.calls.clear()
    assert len(trail.page(limit=50)[0]) == 50
    assert len(reads(storage)) == 50
    verbs = Counter(verb for verb, _ in storage.calls)
    assert (verbs["list_names"] == 0) != (verbs["list"] == 0)
    assert verbs["list_names"] + verbs["list"] <= 9


def test_page_looks_at_a_bounded_number_of_keys(trail, clock, actor, monkeypatch):
    """Where nothing fits, a page is empty and says where to go on."""
    monkeypatch.setattr(pages, "MAX_PASSED", 10)
    trail.record("a.rare", actor)
    for _ in range(35):
        clock.forward(seconds=1)
        trail.record("a.one", actor)
    found, cursor = trail.page(event="a.rare")
    assert (found, cursor is None) == ([], False)
    assert [each["event"] for each in everything(trail, event="a.rare")] == ["a.rare"]


@settings(max_examples=40)
@given(
    minutes=st.lists(st.integers(0, 60 * 24 * 800), max_size=25),
    few=st.integers(1, 6),
    limit=st.integers(1, 7),
    old=st.integers(0, 25),
    has_folders=st.booleans(),
)
def test_pages_cover_all_times(minutes, few, limit, old, has_folders):
    """Whatever the times, and whoever wrote them: every event once, newest first, in pages of any size."""
    with TemporaryDirectory() as folder:
        memory = f"memory://{next(_NUMBERS)}-index"
        storage = LocalStorage(folder, durable=False) if has_folders else open_storage(memory)
        check_pages(storage, minutes, few, limit, old)


def check_pages(storage, minutes, few, limit, old):
    now = [datetime(2024, 1, 1, tzinfo=UTC)]
    trail = Trail(storage, org="acme", clock=lambda: now[0])
    made = []
    for number, minute in enumerate(minutes):
        now[0] = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        change = events.extend([], trail.stamp(Actor()).events([("a.one", {})] * (1 + minute % 3)))
        made += change
        if number < old:
            for each in change:
                storage.create(index.event_key(each), orjson.dumps(each))
        else:
            index.write(storage, change)
    now[0] = datetime(2026, 12, 1, tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(newest_first, "FEW", few)
        patch.setattr(newest_first, "_PAGE", few)
        assert everything(trail, limit) == sorted(made, key=index.cursor_of, reverse=True)


_NUMBERS = itertools.count()


def test_index_of_an_earlier_version_is_read_and_verified(trail, storage, actor, clock):
    """Nothing has to be turned over: pages go on behind what this version writes."""
    old = publish(trail, actor)
    clock.forward(seconds=1)
    trail.record("a.old", actor)
    as_earlier_versions_wrote(trail)
    clock.forward(days=1)
    new = publish(trail, actor)
    assert [each["event"] for each in everything(trail, 2)] == [
        *(each["event"] for each in new[::-1]),
        "a.old",
        *(each["event"] for each in old[::-1]),
    ]
    assert findings(trail) == []
    assert filled(trail) == verify.reindex(trail, verify.all_chains(trail)) == 0


def test_change_that_an_earlier_version_indexed_in_part_is_completed(trail, storage, actor):
    """In its own form, so that no event is there twice."""
    made = publish(trail, actor)
    as_earlier_versions_wrote(trail)
    storage.delete(index.event_key(made[1]))
    assert findings(trail) == [
        "@acme/utils, event 1: the index lacks this event: repair it with 'nproxy-mw check --repair'"
    ]
    assert filled(trail) == 1
    assert everything(trail) == made[::-1]
    assert findings(trail) == []


def test_event_in_both_indexes_is_shown_once(trail, storage, actor):
    """An earlier version that repairs a store writes what it does not find in its own index."""
    made = publish(trail, actor)
    for each in made:
        storage.create(index.event_key(each), orjson.dumps(each))
    for limit in (1, 2, 200):
        assert everything(trail, limit) == made[::-1]


def test_change_with_an_edited_event_is_one_finding(trail, storage, actor):
    """The index is not blamed for what was done to the chain."""
    publish(trail, actor)
    key = "packages/@acme/utils/record.json"
    stored = storage.read(key)
    chain = orjson.loads(stored.data)["chain"]
    chain[1] = {**chain[1], "ip": "::1"}
    storage.replace(key, orjson.dumps({"format": 1, "chain": chain}), stored.revision)
    assert findings(trail) == ["@acme/utils, event 2: this event was edited"]


@pytest.mark.parametrize(
    "key", ["audit/index/x.json", "audit/index/2026/11/22/12/x.json", "audit/index/y/z/a/b/c.json"]
)
def test_foreign_objects_in_the_index_are_passed_over(trail, storage, actor, key):
    """A page goes on; the verification tells of them."""
    storage.create(key, b"{}")
    trail.record("a.one", actor)
    assert len(everything(trail)) == 1
    assert any("no chain holds this event" in finding for finding in findings(trail))
