"""Changes of one package that wait for the same lock are made in one swap, and each is told its own outcome."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from support.packages import ANN, NAME, NoLocks, assert_whole, keys, memory, packages_on, publication
from support.together import together

from nproxy_mw.access import Actor
from nproxy_mw.copies import replace
from nproxy_mw.errors import Busy, Changed, Conflict, NotFound, StorageUnavailable
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.layout import INDEX, RECORD
from nproxy_mw.storage.port import Revision, Storage

BOB = Actor(token_hash="1" * 64, name="bob", request_id="r2", ip="192.0.2.8", user_agent="npm/11")
VERSIONS = ("1.1.0", "1.2.0", "1.3.0")
PUBLICATIONS = [publication(version) for version in VERSIONS]


class Counting:
    """A storage that counts the writes of the package's record, and answers the first *times* of them with *reply*."""

    def __init__(self, storage: Storage, reply: Exception | None = None, *, times: int = 1, writes: bool = True):
        self.storage, self.reply, self.left, self.writes = storage, reply, times, writes
        self.swaps = 0

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.storage, verb)

    def replace(self, key: str, data: bytes, revision: Revision) -> Revision:
        if key != RECORD.key(NAME):
            return self.storage.replace(key, data, revision)
        self.swaps += 1
        fails = self.reply is not None and self.swaps <= self.left
        if self.writes or not fails:
            revision = self.storage.replace(key, data, revision)
        if fails and self.reply is not None:
            raise self.reply
        return revision


class Given:
    """Locks that tell how long each one who leads would wait. The first does not get its own."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.timeouts: list[float] = []
        self.began = threading.Event()

    @contextmanager
    def hold(self, name: str, timeout: float) -> Iterator[None]:
        self.timeouts.append(timeout)
        if len(self.timeouts) == 1:
            self.began.set()
            self._wait_for_the_second()
            raise Busy("Another process has it.")
        yield

    def _wait_for_the_second(self) -> None:
        """Returns some time after its bytes are stored, which it does right before it stands in line."""
        deadline = time.monotonic() + 30
        while len([key for key in keys(self.storage) if key.endswith(".tgz")]) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.5)


@pytest.fixture
def base(storage: Storage, packages: PackageStore) -> PackageStore:
    """The packages, one of them with a version."""
    packages.publish(publication(), ANN)
    return packages


def publish_all(packages: PackageStore) -> list[Exception | None]:
    """Publishes three versions in one swap, the first one as Ann, the others as Bob."""
    actors = (ANN, BOB, BOB)
    pairs = zip(PUBLICATIONS, actors, strict=True)
    return list(together(packages, *(partial(packages.publish, one, actor) for one, actor in pairs)))


def test_publishes_of_three_are_one_swap(storage: Storage, base: PackageStore) -> None:
    """Each has its own event by its own actor, and the index keeps them in one object."""
    counting = Counting(storage)
    before = set(storage.list(INDEX.folder))
    assert publish_all(packages_on(counting)) == [None] * 3
    assert counting.swaps == 1
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", *VERSIONS}
    assert len(set(storage.list(INDEX.folder)) - before) == 1
    assert_whole(storage)
    for by, versions in (("ann", {"1.0.0", "1.1.0"}), ("bob", {"1.2.0", "1.3.0"})):
        assert {event["version"] for event in base.trail.page(by=by)[0]} == versions
        pages = base.trail.page(package=str(NAME), by=by)[0]
        assert {(event["version"], event["requestId"]) for event in pages} == {
            (version, "r1" if by == "ann" else "r2") for version in versions
        }


def test_first_publishes_of_a_package_are_one_swap(storage: Storage) -> None:
    """There is no record yet: the versions are created with it."""
    assert publish_all(packages_on(storage)) == [None] * 3
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == set(VERSIONS)
    assert_whole(storage)


def test_one_that_is_refused_fails_alone(storage: Storage, base: PackageStore) -> None:
    """Of two with one number, one conflicts and leaves no bytes; the other, and a third, are stored."""
    same = [publication("1.1.0", files={"who.js": who}) for who in ("ann", "bob")]
    publishes = [partial(base.publish, one, ANN) for one in (*same, PUBLICATIONS[1])]
    told = together(base, *publishes, partial(base.tag, NAME, "next", "9.9.9", ANN))
    assert Counter(map(type, told)) == {type(None): 2, Conflict: 1, NotFound: 1}
    assert told[2] is None
    winner = same[told.index(None)]
    found = packages_on(storage).read(NAME)[0]["versions"]
    assert found.keys() == {"1.0.0", "1.1.0", "1.2.0"}
    assert found["1.1.0"]["dist"]["integrity"] == winner.integrity
    events = base.trail.page(package=str(NAME))[0]
    assert sorted(event["version"] for event in events) == ["1.0.0", "1.1.0", "1.2.0"]
    assert len([key for key in keys(storage) if key.endswith(".tgz")]) == 3
    assert_whole(storage)


def test_bug_of_one_is_not_told_to_the_others(storage: Storage, base: PackageStore) -> None:
    """A publication that no code makes, without a `dist`, breaks its own caller; the others are stored."""
    broken = replace(publication("2.0.0"), manifest={})
    bugs: list[KeyError] = []

    def publish_broken() -> None:
        try:
            base.publish(broken, ANN)
        except KeyError as error:
            bugs.append(error)

    told = together(base, *(partial(base.publish, one, ANN) for one in PUBLICATIONS), publish_broken)
    assert told == [None] * 4
    assert len(bugs) == 1
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", *VERSIONS}
    assert_whole(storage)


def test_when_all_are_refused_nothing_is_written(storage: Storage, base: PackageStore) -> None:
    """No state, no event."""
    before = {key: storage.read(key).data for key in storage.list()}
    told = together(base, *(partial(base.tag, NAME, "next", version, ANN) for version in VERSIONS))
    assert [type(error) for error in told] == [NotFound] * 3
    assert {key: storage.read(key).data for key in storage.list()} == before


def test_change_of_a_state_that_another_one_replaced_is_stale(storage: Storage, base: PackageStore) -> None:
    """Three deprecations of one revision: the first one is made, the others are refused, as they are one by one."""
    revision = base.read(NAME)[0]["_rev"]
    deprecations = [
        partial(base.deprecate, NAME, {"1.0.0": message}, revision, ANN) for message in ("old", "older", "oldest")
    ]
    told = together(base, *deprecations)
    assert Counter(map(type, told)) == {type(None): 1, Conflict: 2}
    assert_whole(storage)


def test_nothing_is_refused_because_of_a_state_that_was_remembered() -> None:
    """Two tags of a version that only the storage has: both are made."""
    storage = memory()
    packages_on(storage).publish(publication(), ANN)
    lagging = packages_on(FreshnessCache(storage, 3600.0), locks=NoLocks())
    lagging.read(NAME)
    packages_on(storage).publish(PUBLICATIONS[0], ANN)
    tags = ("beta", "next")
    told = together(lagging, *(partial(lagging.tag, NAME, tag, "1.1.0", ANN) for tag in tags))
    assert told == [None, None]
    assert packages_on(storage).read(NAME)[0]["dist-tags"] == {"latest": "1.1.0", "beta": "1.1.0", "next": "1.1.0"}
    assert_whole(storage)


@pytest.mark.parametrize(
    "reply", [Changed("The resend met our own object."), StorageUnavailable("The answer was lost.")]
)
def test_swap_whose_answer_is_lost_is_made_once(storage: Storage, base: PackageStore, reply: Exception) -> None:
    """It is recognized by the first event in it: all are told that they are stored, and no event is there twice."""
    assert publish_all(packages_on(Counting(storage, reply))) == [None] * 3
    events = packages_on(storage).trail.page(package=str(NAME))[0]
    assert sorted(event["version"] for event in events) == ["1.0.0", *VERSIONS]
    assert_whole(storage)


def test_swap_that_lost_a_race_is_made_again(storage: Storage, base: PackageStore) -> None:
    """The second attempt stores all of them."""
    counting = Counting(storage, Changed("Somebody was quicker."), writes=False)
    assert publish_all(packages_on(counting)) == [None] * 3
    assert counting.swaps == 2
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0", *VERSIONS}
    assert_whole(storage)


def test_storage_that_fails_is_told_to_all(storage: Storage, base: PackageStore) -> None:
    """None is acknowledged, and the bytes stay for `nproxy-mw gc`: the swap may be written yet."""
    failing = Counting(storage, StorageUnavailable("The disk is full."), writes=False)
    assert [type(error) for error in publish_all(packages_on(failing))] == [StorageUnavailable] * 3
    assert packages_on(storage).read(NAME)[0]["versions"].keys() == {"1.0.0"}
    assert len([key for key in keys(storage) if key.endswith(".tgz")]) == 4
    assert_whole(storage)


def test_time_in_line_counts_for_the_lock(storage: Storage) -> None:
    """Who leads after another one gave up waits for the rest of its own time, and not for all of it again."""
    locks = Given(storage)
    packages = packages_on(storage, locks=locks)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(packages.publish, PUBLICATIONS[0], ANN)
        assert locks.began.wait(30)
        second = pool.submit(packages.publish, PUBLICATIONS[1], ANN)
        assert isinstance(first.exception(30), Busy)
        assert second.exception(30) is None
    assert locks.timeouts[1] < locks.timeouts[0]
