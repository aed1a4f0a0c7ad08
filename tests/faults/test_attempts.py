"""How often a change is tried, and what is left when every attempt is lost."""

from __future__ import annotations

import uuid

import pytest
from support.commands import BASE, TWO, furnish, opened
from support.publications import ACTOR, publish

from nproxy_mw.errors import Busy, Changed
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.layout import DIRTY, locate
from nproxy_mw.storage.swaps import ATTEMPTS
from nproxy_mw.testing.faults import Faulty
from nproxy_mw.upkeep.check import check


@pytest.fixture
def store():
    """A store with a package."""
    storage = open_storage(f"memory://{uuid.uuid4().hex}")
    furnish(storage)
    return storage


class Losing(Faulty):
    """A storage on which somebody else is always quicker."""

    def __init__(self, storage) -> None:
        super().__init__(storage, 0)
        self.lost = 0

    def replace(self, key, data, revision):
        if key.endswith("/record.json"):
            self.lost += 1
            raise Changed("Somebody else was quicker.")
        return super().replace(key, data, revision)


def objects(storage):
    """What is stored, but for the marks of processes."""
    return sorted(key for key in storage.list() if locate(key).kind is not DIRTY)


def test_publish_is_tried_three_times(store):
    """Three lost races are Busy with Retry-After, nothing is left behind, and the next publish succeeds."""
    losing = Losing(store)
    before = objects(store)
    with pytest.raises(Busy) as refused:
        opened(losing).packages.publish(TWO, ACTOR)
    assert losing.lost == ATTEMPTS == 3
    assert ("Retry-After", "1") in refused.value.headers()
    assert objects(store) == before
    opened(store).packages.publish(TWO, ACTOR)
    assert list(check(store)) == []


class Beaten(Faulty):
    """A storage on which another host publishes just before the first swap of ours."""

    def __init__(self, storage) -> None:
        super().__init__(storage, 0)
        self.others = iter(["3.0.0", "3.0.1"])

    def replace(self, key, data, revision):
        other = next(self.others, None) if key.endswith("/record.json") else None
        if other:
            publish(opened(self.storage), str(BASE), other)
        return super().replace(key, data, revision)


def test_two_lost_races_are_made_good(store):
    """A publish that loses two races succeeds at the third attempt, and all versions are there."""
    opened(Beaten(store)).packages.publish(TWO, ACTOR)
    assert opened(store).packages.read(BASE)[0]["versions"].keys() >= {"2.0.0", "3.0.0", "3.0.1"}
    assert list(check(store)) == []


def test_bytes_stay_when_the_swap_may_be_written_yet(store):
    """A swap that gets through after its caller gave up names bytes that are still there."""
    late = []

    class Late(Faulty):
        def replace(self, key, data, revision):
            if key.endswith("/record.json"):
                late.append((key, data, revision))
                self.kind = "fail"
                self._struck_ones = range(1, 10**9)
            return super().replace(key, data, revision)

    with pytest.raises(Exception, match="fails"):
        opened(Late(store, 10**9)).packages.publish(TWO, ACTOR)
    store.replace(*late[0])
    assert [str(finding) for finding in check(store, repair=True)] == []
    assert "2.0.0" in opened(store).packages.read(BASE)[0]["versions"]


def test_bytes_stay_when_the_record_does_not_show_the_swap_yet(store):
    """The same when the storage answers again, with the old record, before the swap is written."""
    late = []

    class Late(Faulty):
        def replace(self, key, data, revision):
            if key.endswith("/record.json"):
                late.append((key, data, revision))
                self._struck_ones = range(self.operations + 1, self.operations + 2)
            return super().replace(key, data, revision)

    with pytest.raises(Exception, match="fails"):
        opened(Late(store, 10**9)).packages.publish(TWO, ACTOR)
    store.replace(*late[0])
    assert [str(finding) for finding in check(store, repair=True)] == []
