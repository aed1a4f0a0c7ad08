"""The ledger of installs: counted without a write per request, merged over processes, asked and kept small."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.ledger.facts import Count, InstallKey, decode, encode
from nproxy_mw.ledger.query import compact, find, prune, read_day
from nproxy_mw.ledger.recorder import MAX_LATE, Ledger
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.faults import Faulty

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = NOON.date()


class Time:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def storage() -> Storage:
    return open_storage(f"memory://{uuid.uuid4().hex}")


def ledger(storage: Storage, time: Time) -> Ledger:
    """One process's ledger; nothing is written but by `flush`."""
    return Ledger(storage, now=time, interval=None)


def asked(storage: Storage, **between: Any) -> list[tuple[str, str, int]]:
    since, until = between.get("since", NOON - timedelta(days=30)), between.get("until", NOON + timedelta(days=30))
    return [(one.key.package, one.key.version, one.times) for one in find(storage, since, until)]


def test_nothing_is_written_at_a_request(storage: Storage, time: Time) -> None:
    """A thousand fetches of one version are one fact and no write; a flush writes one object."""
    one = ledger(storage, time)
    for _ in range(1000):
        one.record("axios", "1.14.1", "tok1", "192.0.2.1")
    assert list(storage.list()) == []
    one.flush()
    assert len(list(storage.list())) == 1
    assert asked(storage) == [("axios", "1.14.1", 1000)]


def test_flush_of_nothing_writes_nothing(storage: Storage, time: Time) -> None:
    """An idle registry leaves its storage alone."""
    one = ledger(storage, time)
    one.flush()
    one.record("a", "1.0.0", "", "")
    one.flush()
    (key,) = storage.list()
    before = storage.read(key).revision
    one.flush()
    assert storage.read(key).revision == before


def test_facts_are_by_token_and_address(storage: Storage, time: Time) -> None:
    """Who fetched it is kept apart, with the first and the last time."""
    one = ledger(storage, time)
    one.record("axios", "1.14.1", "tok1", "192.0.2.1")
    time.now += timedelta(minutes=5)
    one.record("axios", "1.14.1", "tok1", "192.0.2.1")
    one.record("axios", "1.14.1", "", "192.0.2.2")
    one.flush()
    found = {one.key: one for one in find(storage, NOON, NOON + timedelta(hours=1))}
    first = found[InstallKey("axios", "1.14.1", "tok1", "192.0.2.1")]
    assert (first.times, first.first, first.last) == (2, NOON, NOON + timedelta(minutes=5))
    assert found[InstallKey("axios", "1.14.1", "", "192.0.2.2")].times == 1


def test_processes_add_up(storage: Storage, time: Time) -> None:
    """Each process writes an object of its own, again and again within an hour; a question adds them up."""
    processes = [ledger(storage, time) for _ in range(3)]
    for _ in range(4):
        for one in processes:
            one.record("a", "1.0.0", "t", "i")
            one.flush()
    assert len(list(storage.list())) == 3
    assert asked(storage) == [("a", "1.0.0", 12)]


def test_hours_and_days_have_objects_of_their_own(storage: Storage, time: Time) -> None:
    """A new hour begins a new object, a new day a new fact."""
    one = ledger(storage, time)
    for hours in (0, 1, 12, 24):
        time.now = NOON + timedelta(hours=hours)
        one.record("a", "1.0.0", "t", "i")
        one.flush()
    assert len(list(storage.list())) == 4
    assert asked(storage) == [("a", "1.0.0", 2), ("a", "1.0.0", 2)]


@pytest.mark.parametrize("kind", ["fail", "lost-answer"])
def test_failed_write_loses_and_doubles_nothing(time: Time, kind: str) -> None:
    """Whether it was written or not: a repeat brings the same counts."""
    inner = open_storage(f"memory://{uuid.uuid4().hex}")
    for operation in range(1, 4):
        storage = Faulty(inner, at=operation, kind=kind)
        one = ledger(storage, time)
        for _ in range(3):
            one.record(f"p{operation}", "1.0.0", "t", "i")
            one.flush()
        one.flush()
        assert read_day(inner, DAY)[InstallKey(f"p{operation}", "1.0.0", "t", "i")].times == 3


def test_storage_that_stays_away_costs_bounded_memory(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hours of facts wait; older ones are given up, and the log says so."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")

    def away(*_: object) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "create", away)
        one = ledger(storage, time)
        for hours in range(MAX_LATE + 5):
            time.now = NOON + timedelta(hours=hours)
            one.record("a", f"{hours}.0.0", "t", "i")
            one.flush()
    one.flush()
    kept = [version for _, version, _ in asked(storage)]
    assert kept[-1] == f"{MAX_LATE + 4}.0.0"
    assert len(kept) <= MAX_LATE + 1


def test_threads_lose_nothing(storage: Storage, time: Time) -> None:
    """Eight threads record while another one writes: every install is counted, and once."""
    one = ledger(storage, time)
    start = threading.Barrier(9)

    def record() -> None:
        start.wait(60)
        for number in range(500):
            one.record("a", f"{number % 5}.0.0", "t", "i")

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait(60)
    while any(thread.is_alive() for thread in threads):
        one.flush()
    one.flush()
    assert sum(count.times for count in read_day(storage, DAY).values()) == 8 * 500


def test_question_is_for_a_span_and_a_package(storage: Storage, time: Time) -> None:
    """Only facts whose span touches the asked one, and only of what is asked for."""
    one = ledger(storage, time)
    for hours, name in ((0, "a"), (2, "b"), (30, "a")):
        time.now = NOON + timedelta(hours=hours)
        one.record(name, "1.0.0", "t", "i")
        one.flush()
    since, until = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
    assert asked(storage, since=since, until=until) == [("a", "1.0.0", 1)]
    assert [
        one.key.package for one in find(storage, NOON, NOON + timedelta(days=2), lambda key: key.package == "b")
    ] == ["b"]


def test_question_without_end_is_refused(storage: Storage) -> None:
    """Eleven years at once are too many."""
    with pytest.raises(ValueError, match="days at once"):
        list(find(storage, NOON - timedelta(days=4000), NOON))


def test_a_day_becomes_one_object(storage: Storage, time: Time) -> None:
    """Compaction keeps the counts."""
    for _ in range(5):
        one = ledger(storage, time)
        one.record("a", "1.0.0", "t", "i")
        one.flush()
    before = asked(storage)
    assert compact(storage, DAY) == 4
    assert len(list(storage.list())) == 1
    assert asked(storage) == before
    assert compact(storage, DAY) == 0


def test_crash_within_a_compaction_counts_nothing_twice(storage: Storage, time: Time) -> None:
    """Between the merged object and the removal of its parts, readers pass over them; the next run removes them."""
    for _ in range(3):
        one = ledger(storage, time)
        one.record("a", "1.0.0", "t", "i")
        one.flush()
    parts = {key: storage.read(key).data for key in storage.list()}
    compact(storage, DAY)
    for key, data in parts.items():
        storage.create(key, data)
    assert asked(storage) == [("a", "1.0.0", 3)]
    compact(storage, DAY)
    assert len(list(storage.list())) == 1
    assert asked(storage) == [("a", "1.0.0", 3)]


def test_old_days_go(storage: Storage, time: Time) -> None:
    """What is older than an organization keeps is removed whole."""
    one = ledger(storage, time)
    for days in (0, 10, 20):
        time.now = NOON + timedelta(days=days)
        one.record("a", "1.0.0", "t", "i")
        one.flush()
    assert prune(storage, date(2026, 12, 6)) == 1
    assert len(asked(storage)) == 2


def test_damaged_object_is_an_error(storage: Storage, time: Time) -> None:
    """Half an answer to "were we hit?" would be worse than none."""
    one = ledger(storage, time)
    one.record("a", "1.0.0", "t", "i")
    one.flush()
    (key,) = storage.list()
    storage.replace(key, b"{", storage.read(key).revision)
    with pytest.raises(StorageUnavailable, match="damaged"):
        asked(storage)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format":2,"installs":[]}', b'{"format":1,"installs":[["a"]]}'])
def test_what_is_no_ledger_is_refused(data: bytes) -> None:
    """Only what `encode` wrote is read."""
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's own sentences
        decode(data)


HOSTILE = ["1.0.0],[", '1.0.0"]', '["axios","', "]" * 50, '\\"],["axios","9.9.9"', "\u202e", "1.0.0"]
"""Versions with the marks that end a row, and begin one."""


@pytest.mark.parametrize("packages", [["axios"], ["axios", "@a/b"], ["ax"], [f"p{number}" for number in range(60)]])
def test_rows_of_a_few_packages_are_those_of_all(packages: list[str]) -> None:
    """Whatever stands in the others, or in their own versions and tokens."""
    names = ("axios", "@a/b", "ax", "axios-x", "p7")
    keys = [InstallKey(name, version, version, version) for name in names for version in HOSTILE]
    data = encode({key: Count(2, 1.5, 2.5) for key in keys}, of=['["axios",'])
    every, some = decode(data), decode(data, packages)
    assert some.counts == {key: count for key, count in every.counts.items() if key.package in packages}
    assert some.of == every.of
    spaced = data.replace(b'"installs":[', b'"installs": [')
    assert decode(spaced, packages).counts == some.counts


CUT = b'{"format":1,"installs":[["axios","1"'
ODD = b'{"format":1,"installs":[["axios",1]]}'


@pytest.mark.parametrize("data", [b"", b"[]", CUT, ODD])
def test_damaged_object_is_an_error_for_a_few_packages_too(data: bytes) -> None:
    """It is never taken for one without their rows."""
    with pytest.raises(ValueError, match=r"truncated|Expected|no end|is missing"):
        decode(data, ["axios"])
