"""The audit trail: the administration's chain, and the index of all events."""

import threading

import orjson
import pytest
from support.events import event

from nproxy_mw.access import Actor
from nproxy_mw.audit import events, index, pages, trail
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import BadRequest, Busy, Changed, Exists, StorageUnavailable


def kinds(chain):
    return [event["event"] for event in chain]


@pytest.fixture
def short(monkeypatch):
    """Objects of the chain are full with 3 events."""
    monkeypatch.setattr(trail, "FULL", 3)


def test_recorded_events_hang_in_one_chain(trail, actor):
    """What is told hangs in the order it was told, and the chain is sound."""
    for kind in ("a.one", "a.two", "a.three"):
        trail.record(kind, actor, note=1)
    assert kinds(trail.chain()) == ["a.one", "a.two", "a.three"]
    assert events.verify(trail.chain()) == []
    assert trail.chain()[0]["org"] == "acme"


def test_event_is_indexed_under_its_hour(trail, storage, actor):
    """A key says when the change was made, what kinds of events it has, about which package, and by whom."""
    trail.record("a.one", actor, package="@acme/utils")
    (event,) = trail.chain()
    named = f"20261122T120000.000Z-{event['id']}-a.one-{index.digest('@acme/utils')}-{index.digest('ann')}"
    stored = orjson.loads(storage.read(f"audit/index/2026/11/22/12/{named}.json").data)
    assert stored == {"format": 1, "events": [event]}


def test_append_is_not_repeated(trail, actor):
    """An event that hangs there already is not hung in again."""
    made = event(trail, actor, "a.one")
    trail.append([made])
    trail.append([made, event(trail, actor, "a.two")])
    assert kinds(trail.chain()) == ["a.one", "a.two"]


def test_full_objects_are_set_aside(short, trail, storage, actor):
    """A long chain goes on in a new object; it stays one chain."""
    for number in range(10):
        trail.record(f"a.{number}", actor)
    assert kinds(trail.chain()) == [f"a.{number}" for number in range(10)]
    assert events.verify(trail.chain()) == []
    assert sorted(storage.list("audit/administration")) == [
        f"audit/administration/{number:06}.json" for number in (1, 2, 3)
    ]


def test_crash_while_setting_aside_is_overcome(short, trail, storage, actor):
    """A process that died between setting an object aside and going on in a new one leaves nothing in the way."""
    for _ in range(3):
        trail.record("a.one", actor)
    storage.broken["replace", "administration"] = StorageUnavailable("full")
    with pytest.raises(StorageUnavailable):
        trail.record("a.two", actor)
    storage.broken.clear()
    trail.record("a.three", actor)
    assert kinds(trail.chain()) == ["a.one"] * 3 + ["a.three"]
    assert events.verify(trail.chain()) == []


def test_foreign_object_set_aside_loses_nothing(short, trail, storage, actor):
    """When another object stands where a full one should go, the chain grows on where it is."""
    storage.create("audit/administration/000001.json", b"{}")
    for number in range(5):
        trail.record(f"a.{number}", actor)
    assert len(trail.chain()) == 5


def test_hosts_at_once_lose_nothing(short, storage, clock):
    """Events told by several hosts at once all hang in one sound chain."""

    def tell(host):
        trail = Trail(storage, org="acme", clock=clock)
        for number in range(6):
            trail.record(f"{host}.{number}", Actor())

    threads = [threading.Thread(target=tell, args=(host,)) for host in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = Trail(storage, org="acme").chain()
    assert events.verify(chain) == []
    assert sorted(kinds(chain)) == sorted(f"{host}.{number}" for host in "abcd" for number in range(6))


def test_endless_races_end_in_busy(trail, storage, actor):
    """A trail that never wins says so."""
    trail.record("a.one", actor)
    storage.broken["replace", "administration"] = Changed("lost")
    with pytest.raises(Busy):
        trail.record("a.two", actor)


def test_settle_hangs_in_what_is_missing(short, trail, clock, actor):
    """Of events stored elsewhere, those that no object of the chain holds are hung in; also long afterwards."""
    old, untold = event(trail, actor, "a.old"), event(trail, actor, "a.untold")
    trail.append([old])
    for number in range(8):
        clock.forward(hours=20)
        trail.record(f"a.{number}", actor)
    assert (trail.append_pending([old, untold]), trail.append_pending([old, untold])) == (1, 0)
    assert kinds(trail.chain()).count("a.old") == kinds(trail.chain()).count("a.untold") == 1
    assert events.verify(trail.chain()) == []


def test_event_settled_late_hides_no_others(short, trail, clock, actor):
    """An old event that was hung in late does not make later ones, further back in the chain, look untold."""
    late = event(trail, actor, "a.late")
    clock.forward(days=30)
    made = event(trail, actor, "a.event")
    trail.append([made])
    for number in range(7):
        trail.record(f"a.{number}", actor)
    trail.append_pending([late])
    assert trail.append_pending([made]) == 0
    assert events.verify(trail.chain()) == []


def test_chain_with_foreign_ids_can_be_settled(trail, storage, actor):
    """Identifiers that are none of ours, in a chain that was tampered with, do not stop the repair."""
    trail.record("a.one", actor)
    stored = storage.read("audit/administration.json")
    document = orjson.loads(stored.data)
    document["chain"] = [{"id": "zzz"}]
    storage.replace("audit/administration.json", orjson.dumps(document), stored.revision)
    assert trail.append_pending([event(trail, actor, "a.two")]) == 1


def test_settle_does_not_read_far_back(short, trail, storage, clock, actor):
    """A recent event is looked for in recent objects alone."""
    for number in range(12):
        clock.forward(days=1)
        trail.record(f"a.{number}", actor)
    recent = event(trail, actor, "a.new")
    storage.calls.clear()
    trail.append_pending([recent])
    assert ("read", "audit/administration/000001.json") not in storage.calls


def test_failing_index_does_not_fail_the_event(trail, storage, actor, caplog):
    """An event whose index entry could not be written hangs in the chain all the same; the failure is logged."""
    storage.broken["create", "audit/index"] = StorageUnavailable("full")
    trail.record("a.one", actor)
    assert kinds(trail.chain()) == ["a.one"]
    assert "audit index" in caplog.text


def test_index_takes_an_event_twice(trail, storage, actor):
    """An event that is indexed already is left as it is."""
    trail.record("a.one", actor)
    trail.index(trail.chain(), 0)
    assert len(list(storage.list("audit/index"))) == 1


@pytest.mark.parametrize(
    "data", [b"", b'{"format":1}', b'{"format":1,"number":1,"previous":"","chain":5}', b'{"format":2}']
)
def test_damaged_chain_is_not_begun_anew(trail, storage, actor, data):
    """A chain that cannot be read is an error, and is left as it is."""
    storage.create("audit/administration.json", data)
    with pytest.raises(StorageUnavailable, match=r"damaged|newer version"):
        trail.record("a.one", actor)
    assert storage.read("audit/administration.json").data == data


def test_tampered_chain_does_not_stop_the_trail(trail, storage, actor):
    """Whatever was done to the events in the chain, new ones are hung in; the flaw stays to be found."""
    trail.record("a.one", actor)
    stored = storage.read("audit/administration.json")
    document = orjson.loads(stored.data)
    document["chain"] = [{"id": 5}, "nothing"]
    storage.replace("audit/administration.json", orjson.dumps(document), stored.revision)
    trail.record("a.two", actor)
    assert kinds(trail.chain()[2:]) == ["a.two"]
    assert events.verify(trail.chain())


@pytest.fixture
def told(trail, clock, actor):
    """Nine events over three years, some on one day."""
    for forward in (0, 0, 1, 1, 30, 1, 300, 400, 0):
        clock.forward(days=forward, seconds=1)
        trail.record(f"kind.{len(trail.chain()) % 2}", actor, package=f"@acme/p{len(trail.chain()) % 3}")
    return list(reversed(trail.chain()))


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 200])
def test_pages_cover_everything_once(trail, told, limit):
    """Page after page gives every event once, newest first."""
    found, cursor = trail.page(limit=limit)
    while cursor:
        assert len(found) % limit == 0
        more, cursor = trail.page(after=cursor, limit=limit)
        found += more
    assert found == told


def test_page_is_filtered(trail, told):
    """A page holds the events of one kind, of one package, or both."""
    assert trail.page(event="kind.1")[0] == [event for event in told if event["event"] == "kind.1"]
    assert trail.page(package="@acme/p2")[0] == [event for event in told if event["package"] == "@acme/p2"]
    both = trail.page(package="@acme/p2", event="kind.1")[0]
    assert both == [event for event in told if (event["event"], event["package"]) == ("kind.1", "@acme/p2")]
    assert trail.page(event="kind") == ([], None)


def test_page_of_one_kind_opens_no_others(trail, told, storage):
    """Events of other kinds are passed over without being read."""
    storage.calls.clear()
    found, _ = trail.page(event="kind.1")
    assert [verb for verb, _ in storage.calls].count("read") == len(found)


def test_page_reads_only_what_it_shows(trail, told, storage):
    """The first page lists the newest days alone, and opens no more events than it shows."""
    storage.calls.clear()
    trail.page(limit=2)
    assert [verb for verb, _ in storage.calls].count("read") == 2
    assert ("list", "audit/index/2026/11/22") not in storage.calls


def test_rare_package_gives_a_short_page_with_a_cursor(trail, told, monkeypatch):
    """A page stops after so many events opened, and says where to go on."""
    monkeypatch.setattr(pages, "MAX_OPENED", 1)
    found, cursor = trail.page(package="@acme/p1")
    assert cursor is not None
    while cursor:
        more, cursor = trail.page(package="@acme/p1", after=cursor)
        found += more
    assert found == [event for event in told if event["package"] == "@acme/p1"]


def test_new_events_do_not_shift_the_next_page(trail, told, clock, actor):
    """Events told between two pages neither repeat nor hide others."""
    first, cursor = trail.page(limit=3)
    trail.record("a.late", actor)
    assert first + trail.page(after=cursor, limit=200)[0] == told


def test_event_of_a_host_whose_clock_is_ahead_is_shown(trail, clock, actor):
    """An event that another host dated a little in the future is there."""
    clock.forward(hours=11, minutes=59)
    trail.record("a.one", actor)
    clock.forward(minutes=-10)
    assert len(trail.page()[0]) == 1
    clock.forward(minutes=15)
    trail.record("a.two", actor)
    clock.forward(minutes=-10)
    assert kinds(trail.page()[0]) == ["a.two", "a.one"]


def test_damaged_entry_is_passed_over(trail, told, storage):
    """An entry that cannot be read is left out of a page: verification tells of it."""
    key = index.index_key([told[0]])
    storage.replace(key, b"\xff", storage.read(key).revision)
    assert trail.page()[0] == told[1:]


@pytest.mark.parametrize(
    "after", ["", "x", "../settings", "20261122T120000.000Z", "9" * 60, "20261122T120000.000Z-" + "g" * 32]
)
def test_bad_cursor_is_refused(trail, after):
    """What no page gave is no cursor."""
    with pytest.raises(BadRequest):
        trail.page(after=after)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_bad_limit_is_refused(trail, limit):
    """A page has a bounded size."""
    with pytest.raises(BadRequest):
        trail.page(limit=limit)


def test_cursor_of_no_day_ends_the_list(trail, told):
    """A cursor with an impossible date answers, and shows nothing older than it."""
    assert trail.page(after="00000000T000000.000Z-" + "0" * 32) == ([], None)
    assert len(trail.page(after="99999999T999999.999Z-" + "f" * 32)[0]) == len(told)


def test_change_whose_index_failed_is_indexed_with_the_next(trail, storage, actor):
    """Also when it was made by this process, of the administration or of a package."""
    storage.broken["create", "audit/index"] = StorageUnavailable("full")
    trail.record("a.one", actor)
    storage.broken.clear()
    trail.record("a.two", actor)
    assert len(list(storage.list("audit/index"))) == 2


@pytest.mark.parametrize("last", [None, 5, {}, {"id": "x"}, {"id": "1", "time": "", "org": "", "event": "../x"}])
def test_damaged_end_of_a_chain_is_not_indexed(trail, storage, actor, last):
    """What is no event, or was edited, is left to the verification."""
    chain = events.extend([last], [event(trail, actor, "a.one")])
    trail.index(chain, 1)
    assert len(list(storage.list("audit/index"))) == 1


def test_publishers_never_touch_the_administration(trail, storage, actor):
    """Indexing a package's events reads and writes nothing that another publisher waits for."""
    chain = events.extend([], [event(trail, actor, "package.published", package="@acme/utils")])
    storage.calls.clear()
    trail.index(chain, 0)
    assert [verb for verb, _ in storage.calls] == ["create"]
    assert "administration" not in storage.calls[0][1]
    with pytest.raises(Exists):
        storage.create(storage.calls[0][1], b"")
