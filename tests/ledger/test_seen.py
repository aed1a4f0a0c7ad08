"""The index of fetched packages: it follows the ledger, forgets what was pruned, and reads an object once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.ledger.query import compact, prune
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.ledger.seen import SeenIndex
from nproxy_mw.ledger.seen_tables import SeenPage, SeenPosition, SeenQuestion, SeenSort
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.indexes.connections import IDLE
from nproxy_mw.storage.layout import INSTALLS
from nproxy_mw.storage.port import Storage
from nproxy_mw.testing.faults import Faulty

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LISTS_REVISIONS = pytest.mark.parametrize("storage", ["folder"], indirect=True)
"""Where listings do not tell what changed, the objects of the present days are read at each look."""


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **how: float) -> None:
        self.now += timedelta(**how)


class Reads:
    """A storage that remembers which objects were read."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.keys: list[str] = []

    def read(self, key: str) -> Any:
        self.keys.append(key)
        return self.storage.read(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["memory", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reads]:
    """A storage; connections to its index end with the test."""
    made = open_storage(f"memory://{uuid.uuid4().hex}") if request.param == "memory" else LocalStorage(tmp_path / "st")
    yield Reads(made)
    IDLE.close()


def fetch(storage: Storage, time: Time, *packages: tuple[str, str], ip: str = "192.0.2.1") -> None:
    """One process hands out versions, and writes its ledger."""
    ledger = Ledger(storage, now=lambda: time.now.timestamp(), interval=None)
    for package, version in packages:
        ledger.record(package, version, "tok1", ip)
    ledger.flush()


def page(index: SeenIndex, **asked: Any) -> SeenPage:
    found = index.page(SeenQuestion(**asked))
    index._job.wait(30)
    return found


def shown(index: SeenIndex, **asked: Any) -> list[tuple[str, str]]:
    return [(one.name, one.newest) for one in page(index, **asked).packages]


@pytest.fixture
def index(storage: Reads, time: Time, tmp_path: Path) -> SeenIndex:
    """An index of three packages, fetched in an order that is not that of their names."""
    fetch(storage, time, ("lodash", "4.17.20"), ("lodash", "4.9.0"))
    time.pass_by(hours=1)
    fetch(storage, time, ("axios", "1.13.0"), ("@acme/utils", "1.0.0"))
    return SeenIndex(storage, "acme", folder=tmp_path / "seen", clock=time)


def test_highest_version_and_last_time(index: SeenIndex, time: Time) -> None:
    """Of each package the highest by number, not the last one or the first by letters."""
    found = page(index)
    assert [(one.name, one.newest) for one in found.packages] == [
        ("@acme/utils", "1.0.0"),
        ("axios", "1.13.0"),
        ("lodash", "4.17.20"),
    ]
    assert found.packages[2].last == (NOON).timestamp()
    assert (found.total, found.counted) == (3, time.now.timestamp())


def test_later_fetches_are_found(index: SeenIndex, storage: Reads, time: Time) -> None:
    """By another process, after some seconds; a lower version does not take the place of the highest."""
    assert len(page(index).packages) == 3
    time.pass_by(seconds=30)
    fetch(storage, time, ("axios", "1.14.0"), ("lodash", "3.0.0"), ("left-pad", "1.3.0"))
    assert shown(index, sort=SeenSort.FETCHED)[:3] == [
        ("lodash", "4.17.20"),
        ("left-pad", "1.3.0"),
        ("axios", "1.14.0"),
    ]


@LISTS_REVISIONS
def test_objects_are_read_once(index: SeenIndex, storage: Reads, time: Time) -> None:
    """Whatever is asked, and however often; those of earlier days are not even listed at each look."""
    page(index)
    storage.keys.clear()
    time.pass_by(seconds=30)
    page(index, text="axios")
    time.pass_by(hours=1)
    page(index)
    assert storage.keys == []


def test_another_process_of_the_host_has_it_at_once(
    index: SeenIndex, storage: Reads, time: Time, tmp_path: Path
) -> None:
    """And after a restart: the index is a file."""
    page(index)
    storage.keys.clear()
    again = SeenIndex(storage, "acme", folder=tmp_path / "seen", clock=time)
    assert len(shown(again)) == 3
    assert storage.keys == []


def test_merged_days_count_once_and_pruned_ones_are_forgotten(index: SeenIndex, storage: Reads, time: Time) -> None:
    """`gc` merges a day that is over, and removes days that are too old."""
    before = page(index).packages
    time.pass_by(days=2)
    fetch(storage, time, ("axios", "1.13.0"))
    compact(storage, NOON.date())
    assert [one.name for one in page(index).packages] == [one.name for one in before]
    prune(storage, time.now.date())
    time.pass_by(hours=1)
    page(index)
    assert shown(index) == [("axios", "1.13.0")]


def test_fetches_of_each_day(index: SeenIndex, storage: Reads, time: Time) -> None:
    """All of them, whatever was fetched; merged objects are not counted twice, also while both are there."""
    page(index)
    assert index.fetches() == {NOON.date(): 4}
    old = {key: storage.read(key).data for key in storage.list()}
    time.pass_by(days=1)
    fetch(storage, time, ("axios", "1.13.0"))
    compact(storage, NOON.date())
    for key, data in old.items():  # as if `gc` had been killed before it removed them
        storage.create(key, data)
    page(index)
    assert index.fetches() == {NOON.date(): 4, time.now.date(): 1}
    for key in old:
        storage.delete(key)
    time.pass_by(hours=1)
    page(index)
    assert index.fetches() == {NOON.date(): 4, time.now.date(): 1}


@pytest.mark.parametrize("sort", list(SeenSort))
def test_pages_follow_each_other(index: SeenIndex, sort: SeenSort) -> None:
    """Two pages have all packages, each once, in order."""
    first = page(index, sort=sort, size=2)
    assert first.total == 3
    position = SeenPosition(first.packages[-1].name, first.packages[-1].last)
    second = page(index, sort=sort, size=2, after=position)
    assert [*first.packages, *second.packages] == list(page(index, sort=sort).packages)
    assert second.total == 3


def test_scopes_are_left_out_exactly(index: SeenIndex, storage: Reads, time: Time) -> None:
    """By the whole scope: one that begins alike stays, and marks of patterns mean nothing."""
    fetch(storage, time, ("@acme-corp/x", "1.0.0"), ("@acm_/y", "1.0.0"))
    assert [name for name, _ in shown(index, scopes=["@acme", "@acm*", "@ac_e"])] == [
        "@acm_/y",
        "@acme-corp/x",
        "axios",
        "lodash",
    ]
    assert page(index, scopes=["@acme"], text="acme").total == 1
    assert shown(index, text="%") == shown(index, text="_y") == []


@LISTS_REVISIONS
def test_damaged_object_is_passed_over(index: SeenIndex, storage: Reads, time: Time) -> None:
    """And not read again; `check` reports it."""
    storage.create(INSTALLS.key("2026/11/26", "13-damaged"), b"{}")
    assert len(shown(index)) == 3
    storage.keys.clear()
    time.pass_by(seconds=30)
    page(index)
    assert storage.keys == []


def test_storage_that_is_away_is_told_or_covered(storage: Reads, time: Time, tmp_path: Path) -> None:
    """Without an index it is an error; with one, what is known is shown, with the moment of the last look."""
    fetch(storage, time, ("axios", "1.13.0"))
    away = SeenIndex(Faulty(storage.storage, 1, times=10**6), "acme", folder=tmp_path / "away", clock=time)
    with pytest.raises(StorageUnavailable):
        away.page(SeenQuestion())
    index = SeenIndex(storage, "acme", folder=tmp_path / "seen", clock=time)
    counted = page(index).counted
    index.storage = Faulty(storage.storage, 1, times=10**6)
    time.pass_by(hours=1)
    assert shown(index) == [("axios", "1.13.0")]
    assert page(index).counted == counted


def test_nothing_was_fetched(storage: Reads, time: Time, tmp_path: Path) -> None:
    """An empty page that is complete."""
    found = page(SeenIndex(storage, "acme", folder=tmp_path / "seen", clock=time))
    assert (list(found.packages), found.total, found.counted) == ([], 0, time.now.timestamp())


def test_damaged_index_is_made_again(index: SeenIndex, storage: Reads) -> None:
    """From the ledger."""
    page(index)
    IDLE.close()
    file = index.database.file
    assert file is not None
    file.path.write_bytes(b"not a database, but some text" * 500)
    assert len(shown(index)) == 3
