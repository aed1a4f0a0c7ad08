"""Decoded objects, kept by revision."""

from __future__ import annotations

import json
import sys
from typing import Any

import orjson
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nproxy_mw.errors import Missing
from nproxy_mw.lru import Lru
from nproxy_mw.storage import FsspecStorage
from nproxy_mw.storage.freshness import FreshnessCache
from nproxy_mw.storage.port import Stored
from nproxy_mw.storage.prefixed import Prefixed
from nproxy_mw.storage.revisions import RevisionCache, held_bytes
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
    cache = RevisionCache(storage, decoder)
    assert cache.get("a") is cache.get("a")
    assert (cache.get("a"), cache.entry("a").revision) == ([1], revision)
    assert decoder.calls == 1


def test_change_is_seen_at_once(storage: FsspecStorage, decoder: Decoder) -> None:
    """A new revision is decoded anew, and its revision is the one to replace it by."""
    first = storage.create("a", b"1")
    cache = RevisionCache(storage, decoder)
    cache.get("a")
    second = storage.replace("a", b"2", first)
    assert (cache.get("a"), cache.entry("a").revision) == (2, second)


def test_missing_object_is_missing(storage: FsspecStorage, decoder: Decoder) -> None:
    """An object that is not there, or no longer, raises Missing, and is found when it is there again."""
    cache = RevisionCache(storage, decoder)
    with pytest.raises(Missing):
        cache.get("a")
    storage.create("a", b"1")
    assert cache.get("a") == 1
    storage.delete("a")
    with pytest.raises(Missing):
        cache.get("a")
    storage.create("a", b"1")
    assert cache.get("a") == 1
    assert decoder.calls == 2


def test_object_that_cannot_be_decoded_is_not_remembered(storage: FsspecStorage, decoder: Decoder) -> None:
    """What the decoder raises comes out, and a mended object is read."""
    revision = storage.create("a", b"{")
    cache = RevisionCache(storage, decoder)
    with pytest.raises(json.JSONDecodeError):
        cache.get("a")
    storage.replace("a", b"{}", revision)
    assert cache.get("a") == {}


def test_caches_share_one_budget(storage: FsspecStorage, decoder: Decoder) -> None:
    """What is kept is bounded for all caches together; the least recently used value goes first, wherever it is."""
    memory: Lru[Any, Any] = Lru(max_items=2)
    first, second = (RevisionCache(storage, decoder, memory=memory) for _ in range(2))
    for key in "abc":
        storage.create(key, b"1")
    for cache, key in ((first, "a"), (second, "a"), (first, "a"), (second, "b"), (first, "a")):
        cache.get(key)
    assert decoder.calls == 3
    second.get("a")  # the other cache's values took its place
    assert decoder.calls == 4


def test_same_key_of_two_caches_is_two_values(storage: FsspecStorage) -> None:
    """Caches with different decoders on one budget never mix."""
    memory: Lru[Any, Any] = Lru(max_items=10)
    storage.create("a", b"1")
    assert RevisionCache(storage, json.loads, memory=memory).get("a") == 1
    assert RevisionCache(storage, bytes.decode, memory=memory).get("a") == "1"


def test_values_are_bounded_by_what_they_hold(storage: FsspecStorage, decoder: Decoder) -> None:
    """A small document of many empty objects counts as the memory they take, and is not kept over the bound."""
    data = b"[" + b"{}," * 999 + b"{}]"
    storage.create("a", data)
    small: Lru[Any, Any] = Lru(max_items=10, max_weight=10 * len(data))
    cache = RevisionCache(storage, decoder, memory=small)
    assert cache.get("a") == cache.get("a")
    assert (decoder.calls, small.weight) == (2, 0)
    large: Lru[Any, Any] = Lru(max_items=10, max_weight=100 * len(data))
    cache = RevisionCache(storage, decoder, memory=large)
    cache.get("a"), cache.get("a")
    assert decoder.calls == 3


def test_what_was_written_is_not_read(storage: FsspecStorage, decoder: Decoder) -> None:
    """A writer keeps what it has just written, until somebody else writes."""
    cache = RevisionCache(storage, decoder)
    first = storage.create("a", b"1")
    cache.put("a", 1, Stored(b"1", first))
    assert (cache.get("a"), cache.entry("a").revision) == (1, first)
    assert decoder.calls == 0
    storage.replace("a", b"2", first)
    assert cache.get("a") == 2


def test_current_value_is_never_a_little_old(storage: FsspecStorage, decoder: Decoder) -> None:
    """Where a storage may answer from memory, the present state can still be asked for, through a prefix too."""
    first = storage.create("home/a", b"1")
    cache = RevisionCache(Prefixed(FreshnessCache(storage, 3600.0), "home"), decoder)
    assert cache.get("a") == 1
    storage.replace("home/a", b"2", first)
    assert (cache.get("a"), cache.get("a", current=True), cache.get("a")) == (1, 2, 2)


SHAPES: dict[str, Any] = {
    "empty objects": [{} for _ in range(2000)],
    "small objects": [{"a": number} for number in range(2000)],
    "empty arrays": [[] for _ in range(2000)],
    "nested arrays": [[[[number]]] for number in range(1000)],
    "long keys": {f"key {number} {'k' * 80}": number for number in range(2000)},
    "short texts": [f"ab{number}" for number in range(2000)],
    "wide texts": ["x" * 100 + "\U0001f40d" + str(number) for number in range(500)],
    "numbers": [number + 0.5 for number in range(2000)],
    "a packument": {
        "versions": {
            f"1.{number}.0": {
                "name": "@acme/utils",
                "dependencies": {f"dependency-{one}": "^1.2.3" for one in range(10)},
                "dist": {"integrity": "x" * 95, "signatures": [{"keyid": "k" * 50, "sig": f"{number}" * 40}]},
            }
            for number in range(200)
        }
    },
}


@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
def test_held_bytes_are_no_less_than_what_is_held(value: Any) -> None:
    """Whatever its shape, a document is never counted as less than it takes, and as at most four times that."""
    data = orjson.dumps(value)
    held = size_of(orjson.loads(data))
    assert held <= held_bytes(data) <= 4 * held


def size_of(value: Any) -> int:
    """The memory of a decoded document: every object of it once, as the interpreter counts it."""
    seen: dict[int, Any] = {}
    left = [value]
    while left:
        item = left.pop()
        if id(item) not in seen:
            seen[id(item)] = item
            left.extend(
                [*item.keys(), *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
            )
    return sum(map(sys.getsizeof, seen.values()))


def test_threads_share_and_never_see_an_older_value(storage: FsspecStorage, decoder: Decoder) -> None:
    """While one thread counts an object up, the others see it grow only."""
    storage.create("a", b"0")
    cache = RevisionCache(storage, decoder)
    done = False

    def count() -> None:
        nonlocal done
        for _ in range(200):
            entry = cache.entry("a")
            storage.replace("a", json.dumps(entry.value + 1).encode(), entry.revision)
        done = True

    def watch() -> None:
        last = 0
        while not done:
            now = cache.get("a")
            assert now >= last
            last = now

    in_threads(4, lambda number: watch() if number else count())
    assert cache.get("a") == 200
