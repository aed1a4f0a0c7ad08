"""A storage that is not asked again about what it has just confirmed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from support.clocks import Clock

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.storage import FsspecStorage, freshness
from nproxy_mw.storage.freshness import FreshnessCache, strict
from nproxy_mw.storage.looks import look_at
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.testing import StorageContract
from nproxy_mw.testing.faults import Faulty


@pytest.fixture
def back() -> FsspecStorage:
    """The storage behind, which another process would write to."""
    return FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))


@pytest.fixture
def counted(back: FsspecStorage) -> Faulty:
    """The storage behind, counting what it is asked."""
    return Faulty(back, at=0, times=0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def storage(counted: Faulty, clock: Clock) -> FreshnessCache:
    return FreshnessCache(counted, 1.0, monotonic=clock)


class TestFresh(StorageContract):
    """The contract holds for whoever writes through the same object."""

    @pytest.fixture
    def storage(self, back: FsspecStorage) -> Storage:
        return FreshnessCache(back, 3600.0)


def test_confirmed_revision_is_not_asked_for(
    storage: FreshnessCache, back: FsspecStorage, counted: Faulty, clock: Clock
) -> None:
    """Within the time, "unchanged" costs no question; after it, one."""
    revision = back.create("a", b"1")
    assert storage.read("a").revision == revision
    clock.now += 0.9
    assert storage.read_if_changed("a", revision) is None
    assert counted.operations == 1
    clock.now += 0.1
    assert storage.read_if_changed("a", revision) is None
    assert counted.operations == 2
    clock.now += 0.9
    assert storage.read_if_changed("a", revision) is None
    assert counted.operations == 2


def test_look_relies_on_what_was_confirmed(storage: FreshnessCache, counted: Faulty, clock: Clock) -> None:
    """It asks nobody, and says no when the time is over, or after a change through this storage."""
    Prefixed(storage, "part").create("a", b"1")
    revision = storage.read("part/a").revision
    look = look_at(Prefixed(storage, "part"), "a", revision)
    assert look is not None
    asked = counted.operations
    clock.now += 0.9
    assert look()
    clock.now += 0.1
    assert not look()
    assert counted.operations == asked
    assert storage.read_if_changed("part/a", revision) is None
    assert look()
    storage.replace("part/a", b"2", revision)
    assert not look()
    storage.read("part/a")
    assert not look()


def test_no_look_without_freshness(storage: FreshnessCache) -> None:
    """Where each question is asked, nothing is relied on."""
    revision = storage.create("a", b"1")
    assert look_at(storage.strict(), "a", revision) is None


def test_change_by_others_is_seen_in_time(storage: FreshnessCache, back: FsspecStorage, clock: Clock) -> None:
    """What another process wrote is seen when the time is over, and at once by who asks for the whole."""
    revision = back.create("a", b"1")
    storage.read("a")
    back.replace("a", b"2", revision)
    assert storage.read_if_changed("a", revision) is None
    clock.now += 1.0
    stored = storage.read_if_changed("a", revision)
    assert stored is not None
    assert stored.data == b"2"


def test_another_revision_is_always_asked_for(storage: FreshnessCache, back: FsspecStorage) -> None:
    """Only the confirmed revision is answered from memory."""
    old = back.create("a", b"1")
    storage.read("a")
    new = back.replace("a", b"2", old)
    assert storage.read_if_changed("a", new) is None
    stored = storage.read_if_changed("a", old)
    assert stored is not None
    assert stored.data == b"2"


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_own_write_is_seen_at_once(back: FsspecStorage, clock: Clock, kind: str) -> None:
    """After a write through this object the next reader asks, even when the write seemed to fail."""
    revision = back.create("a", b"1")
    storage = FreshnessCache(Faulty(back, at=2, kind=kind), 1.0, monotonic=clock)  # type: ignore[arg-type]
    storage.read("a")
    with pytest.raises(StorageUnavailable):
        storage.replace("a", b"2", revision)
    stored = storage.read_if_changed("a", revision)
    assert (stored.data if stored else b"1") == back.read("a").data


def test_deletion_is_seen_at_once(storage: FreshnessCache, back: FsspecStorage) -> None:
    """After a deletion through this object the next reader learns it."""
    revision = back.create("a", b"1")
    storage.read("a")
    storage.delete("a")
    with pytest.raises(Missing):
        storage.read_if_changed("a", revision)


def test_answer_from_before_a_write_is_not_kept(back: FsspecStorage, clock: Clock) -> None:
    """A reader that asked before a write and is answered after it does not hide the write."""
    old = back.create("a", b"1")
    asked, answered = threading.Event(), threading.Event()

    class Slow(Faulty):
        def read(self, key: str):  # type: ignore[no-untyped-def]
            stored = super().read(key)
            asked.set()
            answered.wait(30)
            return stored

    storage = FreshnessCache(Slow(back, at=0, times=0), 1.0, monotonic=clock)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(storage.read, "a")
        asked.wait(30)
        storage.replace("a", b"2", old)
        answered.set()
        assert reading.result(30).data == b"1"
    stored = storage.read_if_changed("a", old)
    assert stored is not None
    assert stored.data == b"2"


def test_older_answer_is_not_kept_over_a_newer_one(back: FsspecStorage, clock: Clock) -> None:
    """A question that was asked first and answered last says what was true first."""
    old = back.create("a", b"1")
    asked, answered = threading.Event(), threading.Event()

    class Slow(Faulty):
        def read(self, key: str):  # type: ignore[no-untyped-def]
            stored = super().read(key)
            if self.operations == 1:
                asked.set()
                answered.wait(30)
            return stored

    storage = FreshnessCache(Slow(back, at=0, times=0), 1.0, monotonic=clock)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(storage.read, "a")
        asked.wait(30)
        back.replace("a", b"2", old)  # by another process
        clock.now += 0.1
        assert storage.read("a").data == b"2"
        answered.set()
        assert reading.result(30).data == b"1"
    stored = storage.read_if_changed("a", old)
    assert stored is not None
    assert stored.data == b"2"


def test_strict_storage_is_always_asked(storage: FreshnessCache, back: FsspecStorage, counted: Faulty) -> None:
    """`strict` asks each time, through a prefix too, and what it learns counts for the storage itself."""
    old = back.create("home/a", b"1")
    home = Prefixed(storage, "home")
    home.read("a")
    back.replace("home/a", b"2", old)
    assert home.read_if_changed("a", old) is None
    changed = strict(home).read_if_changed("a", old)
    assert changed is not None
    counted.operations = 0
    assert home.read_if_changed("a", changed.revision) is None
    assert counted.operations == 0
    assert strict(home).read_if_changed("a", changed.revision) is None
    assert counted.operations == 1


def test_storage_without_freshness_is_strict(back: FsspecStorage) -> None:
    """Where nothing is answered from memory, `strict` is the storage itself."""
    assert strict(back) is back
    assert strict(Prefixed(back, "home")) == Prefixed(back, "home")


def test_memory_is_bounded(back: FsspecStorage, counted: Faulty, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many keys, the ones used longest ago are forgotten."""
    monkeypatch.setattr(freshness, "_CAPACITY", 2)
    storage = FreshnessCache(counted, 1.0, monotonic=clock)
    revisions = {key: back.create(key, key.encode()) for key in ("a", "b", "c")}
    for key in revisions:
        storage.read(key)
    assert [storage.read_if_changed(key, revisions[key]) for key in ("b", "c")] == [None, None]
    assert counted.operations == 3
    assert storage.read_if_changed("a", revisions["a"]) is None
    assert counted.operations == 4
