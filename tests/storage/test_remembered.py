"""Decoded objects, remembered by revision."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Missing
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.testing.races import in_threads


class Decoder:
    """JSON, and how often it was read."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, data: bytes) -> Any:
        self.calls += 1
        return json.loads(data)


@pytest.fixture
def storage() -> FsspecStorage:
    return FsspecStorage(MemoryFileSystem(global_store=False, skip_instance_cache=True))


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


def test_unchanged_object_is_decoded_once(storage: FsspecStorage, decoder: Decoder) -> None:
    """The same value is answered as long as the object is at its revision."""
    revision = storage.create("a", b"[1]")
    remembered = RevisionCache(storage, decoder)
    assert remembered.get("a") is remembered.get("a")
    assert remembered.get_with_revision("a") == ([1], revision)
    assert decoder.calls == 1


def test_change_is_seen_at_once(storage: FsspecStorage, decoder: Decoder) -> None:
    """A new revision is decoded anew, and its revision is the one to replace it by."""
    first = storage.create("a", b"1")
    remembered = RevisionCache(storage, decoder)
    remembered.get("a")
    second = storage.replace("a", b"2", first)
    assert remembered.get_with_revision("a") == (2, second)


def test_missing_object_is_missing(storage: FsspecStorage, decoder: Decoder) -> None:
    """An object that is not there, or no longer, raises Missing, and is found when it is there again."""
    remembered = RevisionCache(storage, decoder)
    with pytest.raises(Missing):
        remembered.get("a")
    storage.create("a", b"1")
    assert remembered.get("a") == 1
    storage.delete("a")
    with pytest.raises(Missing):
        remembered.get("a")
    storage.create("a", b"1")
    assert remembered.get("a") == 1
    assert decoder.calls == 2


def test_object_that_cannot_be_decoded_is_not_remembered(storage: FsspecStorage, decoder: Decoder) -> None:
    """What the decoder raises comes out, and a mended object is read."""
    revision = storage.create("a", b"{")
    remembered = RevisionCache(storage, decoder)
    with pytest.raises(json.JSONDecodeError):
        remembered.get("a")
    storage.replace("a", b"{}", revision)
    assert remembered.get("a") == {}


def test_entries_are_bounded_by_number(storage: FsspecStorage, decoder: Decoder) -> None:
    """The least lately used value goes first."""
    remembered = RevisionCache(storage, decoder, capacity=2)
    for key in "abc":
        storage.create(key, b"1")
    for key in "abacaba":
        remembered.get(key)
    assert decoder.calls == 4  # c came for b, and b again for c; a was always in use


@pytest.mark.parametrize(("size", "calls"), [pytest.param(40, 2, id="fit"), pytest.param(60, 4, id="one at a time")])
def test_entries_are_bounded_by_bytes(storage: FsspecStorage, decoder: Decoder, size: int, calls: int) -> None:
    """Values whose encoded forms have too many bytes together are dropped."""
    remembered = RevisionCache(storage, decoder, max_bytes=100)
    for key in "ab":
        storage.create(key, b" " * (size - 1) + b"1")
    for key in "abab":
        remembered.get(key)
    assert decoder.calls == calls


def test_object_over_the_bound_is_answered_all_the_same(storage: FsspecStorage, decoder: Decoder) -> None:
    """A value too large to remember drops the others, and nothing else happens."""
    remembered = RevisionCache(storage, decoder, max_bytes=10)
    storage.create("a", b" " * 20 + b"1")
    assert remembered.get("a") == remembered.get("a") == 1
    assert decoder.calls == 2


def test_threads_share_and_never_see_an_older_value(storage: FsspecStorage, decoder: Decoder) -> None:
    """While one thread counts an object up, the others see it grow only."""
    storage.create("a", b"0")
    remembered = RevisionCache(storage, decoder)
    done = False

    def count() -> None:
        nonlocal done
        for _ in range(200):
            value, revision = remembered.get_with_revision("a")
            storage.replace("a", json.dumps(value + 1).encode(), revision)
        done = True

    def watch() -> None:
        last = 0
        while not done:
            now = remembered.get("a")
            assert now >= last
            last = now

    in_threads(4, lambda number: watch() if number else count())
    assert remembered.get("a") == 200
