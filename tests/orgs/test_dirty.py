"""Dirty marks: written before the first change of a while, and gone when everything under them is shown."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.events import event

from nproxy_mw.audit import dirty
from nproxy_mw.audit.dirty import DirtyMarks, Unshown
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Busy, Changed, Conflict, StorageUnavailable
from nproxy_mw.storage.layout import DIRTY, MENDED

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Seconds:
    """A monotonic clock that goes on only when told to."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def marks(storage, clock, seconds):
    return DirtyMarks(storage, clock=clock, monotonic=seconds)


def found(storage):
    return sorted(DIRTY.keys(storage))


def change(marks, outcome=None):
    with marks.covering() as cover:
        cover.begin()
        if outcome is not None:
            raise outcome


def test_one_mark_stands_for_all_changes_of_a_while(marks, storage):
    """The second change writes nothing; a clean end removes the mark."""
    change(marks)
    (key,) = found(storage)
    assert key.startswith("upkeep/dirty/20261122T120000.000Z-")
    storage.calls.clear()
    change(marks)
    change(marks)
    assert storage.calls == []
    marks.settle()
    assert found(storage) == []


def test_change_that_writes_nothing_has_no_mark(marks, storage):
    """A refused change costs no write."""
    with pytest.raises(Conflict), marks.covering():
        raise Conflict("no")
    assert found(storage) == []


def test_mark_is_renewed_before_anybody_may_take_it_for_dead(marks, storage, seconds):
    """The old one goes as soon as the changes under it have ended."""
    with marks.covering() as slow:
        slow.begin()
        (old,) = found(storage)
        seconds.now += dirty.PERIOD
        change(marks)
        assert len(found(storage)) == 2
    (new,) = found(storage)
    assert new != old
    assert timedelta(seconds=dirty.PERIOD) < dirty.DEAD / 2


def test_sleep_of_the_machine_ages_a_mark(marks, storage, monkeypatch):
    """One clock stands still meanwhile, the other does not; one that was set back proves nothing."""
    now = [5e8]
    monkeypatch.setattr(dirty.time, "time", lambda: now[0])
    change(marks)
    for step in (dirty.PERIOD + 1, -50.0):
        before = found(storage)
        now[0] += step
        change(marks)
        assert set(found(storage)).isdisjoint(before)


@pytest.mark.parametrize("outcome", [StorageUnavailable("away"), KeyboardInterrupt(), ValueError("bug")])
def test_mark_of_a_change_with_an_unknown_end_stays(marks, storage, outcome):
    """It may have been stored: the next start has to look."""
    with pytest.raises(type(outcome)):
        change(marks, outcome)
    marks.settle()
    assert len(found(storage)) == 1


@pytest.mark.parametrize("outcome", [Conflict("no"), Busy("others")])
def test_mark_of_a_refused_change_goes(marks, storage, outcome):
    """Nothing was stored."""
    with pytest.raises(type(outcome)):
        change(marks, outcome)
    marks.settle()
    assert found(storage) == []


def test_mark_of_a_change_that_is_not_shown_stays(trail, storage, actor):
    """An event that did not get into the index, or into the chain, is found by the next start."""
    storage.broken["create", "audit/index"] = StorageUnavailable("full")
    trail.record("a.one", actor)
    trail.dirty.settle()
    assert len(found(storage)) == 1


def test_change_under_way_at_the_end_keeps_its_mark(marks, storage):
    """A process that ends in the middle of one has not ended cleanly."""
    with marks.covering() as cover:
        cover.begin()
        marks.settle()
    assert len(found(storage)) == 1


def test_threads_share_a_mark(marks, storage):
    """However many begin at once, one is written."""
    gate = threading.Barrier(8)

    def work():
        gate.wait(30)
        change(marks)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found(storage)) == 1


def test_child_has_a_mark_of_its_own(clock, seconds, tmp_path):
    """A fork neither uses nor removes its parent's mark, whose process may die on its own."""
    from nproxy_mw.storage import open_storage

    storage = open_storage(str(tmp_path / "store"))
    marks = DirtyMarks(storage, clock=clock, monotonic=seconds)
    change(marks)
    (parents,) = found(storage)
    child = multiprocessing.get_context("fork").Process(target=lambda: (change(marks), dirty.settle_all()))
    child.start()
    child.join(30)
    assert (child.exitcode, found(storage)) == (0, [parents])


def test_full_disk_stops_no_change(marks, storage):
    """Unpublishing must be able to make room. Then the note goes that everything was looked at."""
    dirty.note_mended(storage, START)
    storage.broken["create", "upkeep/dirty"] = StorageUnavailable("full")
    change(marks)
    assert dirty.unshown(storage, START) == Unshown(None, ())
    storage.broken.clear()
    change(marks)
    assert len(found(storage)) == 1


def test_storage_that_is_away_refuses_the_change(marks, storage):
    """When the next start could not know of it, nothing is stored."""
    storage.broken.update({("create", ""): StorageUnavailable("away"), ("delete", ""): StorageUnavailable("away")})
    with pytest.raises(StorageUnavailable):
        change(marks)


def test_settling_raises_nothing(marks, storage):
    """The process ends whatever happens."""
    change(marks)
    storage.broken["delete", "upkeep"] = RuntimeError("the event loop is gone")
    dirty.settle_all()
    assert len(found(storage)) == 1


class Dated:
    """A storage whose listings have times."""

    def __init__(self, times):
        self.times = times

    def list_with_times(self, prefix):
        return iter(self.times.items())

    def read(self, key):
        from nproxy_mw.storage.port import Revision, Stored

        assert key == MENDED.key()
        return Stored(b'{"format":1,"begun":"2026-11-22T11:00:00.000Z"}', Revision("1"))


OLD = "upkeep/dirty/20261122T105959.000Z-0f.json"
MARK = "upkeep/dirty/20261122T113000.000Z-0f.json"


@pytest.mark.parametrize(
    ("times", "since", "dead"),
    [
        pytest.param({MARK: START}, START - timedelta(minutes=90), (), id="the clock of its process is behind"),
        pytest.param({MARK: START - timedelta(hours=1)}, START - timedelta(hours=2), (), id="or ahead"),
        pytest.param({MARK: None}, START - timedelta(minutes=90), (), id="the storage knows no times"),
        pytest.param(
            {OLD: START - timedelta(hours=1, seconds=2)}, START - timedelta(hours=2, seconds=2), (OLD,), id="dead"
        ),
        pytest.param({OLD: START}, START - timedelta(hours=2, seconds=1), (), id="its clock is far behind"),
        pytest.param({OLD: None}, START - timedelta(hours=2, seconds=1), (OLD,), id="dead by its own clock"),
        pytest.param(
            {"upkeep/dirty/x.json": START - timedelta(hours=2)},
            datetime(2019, 12, 31, 23, tzinfo=UTC),
            ("upkeep/dirty/x.json",),
            id="none of ours",
        ),
    ],
)
def test_marks_say_since_when_to_look(times, since, dead):
    """By the earlier of both clocks, and an hour before that."""
    assert dirty.unshown(Dated(times), START) == Unshown(since, dead)


def test_nothing_to_look_at_without_marks():
    """After a clean end."""
    assert dirty.unshown(Dated({}), START) is None
    assert dirty.unshown(Dated({}), START + dirty.TRUST) == Unshown(None, ())


def test_notes_of_several_hosts_do_not_meet(storage):
    """Whoever comes second leaves the other's."""
    dirty.note_mended(storage, START)
    dirty.note_mended(storage, START + timedelta(days=1))
    assert b"2026-11-23" in storage.read(MENDED.key()).data


def test_append_that_another_process_made_too_is_shown(trail, storage, actor):
    """A write that was carried out, and refused when it was sent again, leaves nothing to look at."""
    made = event(trail, actor, "a.one")
    trail.record("a.first", actor)

    class Resent:
        """A storage that carries out the first write of the chain, and refuses it."""

        done = False

        def __getattr__(self, verb):
            return getattr(storage, verb)

        def replace(self, key, data, revision):
            written = storage.replace(key, data, revision)
            if not self.done:
                self.done = True
                raise Changed("resent")
            return written

    host = Trail(Resent(), org="acme", clock=trail.clock)
    host.append([made])
    assert {each["event"] for each in trail.page()[0]} == {"a.one", "a.first"}
    host.dirty.settle()
    trail.dirty.settle()
    assert found(storage) == []
