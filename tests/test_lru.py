"""The one bounded map: what it keeps, what it drops, and that its books are right."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.lru import Lru


def kept(lru: Lru[str, int], keys: str = "abcdef") -> str:
    """Which of *keys* have a value. Asking in order makes the last the most recently used."""
    return "".join(key for key in keys if lru.get(key) is not None)


def test_least_recently_used_goes_first() -> None:
    """Reading a value counts as use; the one unused for longest makes room."""
    lru: Lru[str, int] = Lru(max_items=2)
    lru.put("a", 1)
    lru.put("b", 2)
    assert lru.get("a") == 1
    lru.put("c", 3)
    assert kept(lru) == "ac"


def test_weights_are_bounded_together() -> None:
    """A heavy value pushes out as many as it takes."""
    lru: Lru[str, int] = Lru(max_items=10, max_weight=100)
    for key in "abc":
        lru.put(key, 1, 30)
    lru.put("d", 1, 60)
    assert (kept(lru), lru.weight) == ("cd", 90)


def test_too_heavy_value_is_not_kept() -> None:
    """A value over the bound pushes nothing else out, and takes its own earlier state with it."""
    lru: Lru[str, int] = Lru(max_items=10, max_weight=100)
    lru.put("a", 1, 60)
    lru.put("b", 1, 30)
    lru.put("a", 2, 101)
    assert (kept(lru), lru.weight) == ("b", 30)
    assert lru.setdefault("a", 3, 101) == 3
    assert kept(lru) == "b"


def test_put_replaces_and_setdefault_does_not() -> None:
    """A value is replaced with its weight, or found as it was kept first."""
    lru: Lru[str, int] = Lru(max_items=10, max_weight=100)
    lru.put("a", 1, 60)
    lru.put("a", 2, 10)
    assert (lru.get("a"), lru.weight) == (2, 10)
    assert lru.setdefault("a", 3, 50) == 2
    assert lru.weight == 10


def test_discarded_value_is_gone() -> None:
    """Discarding gives the weight back; discarding nothing does nothing."""
    lru: Lru[str, int] = Lru(max_items=10, max_weight=100)
    lru.put("a", 1, 60)
    lru.discard("a")
    lru.discard("a")
    assert (lru.get("a"), lru.weight, len(lru)) == (None, 0, 0)


@pytest.mark.parametrize("value", [0, "", ()], ids=["zero", "empty text", "empty tuple"])
def test_falsy_value_is_a_value(value: object) -> None:
    """Only None means that there is none."""
    lru: Lru[str, object] = Lru(max_items=1)
    lru.put("a", value)
    assert lru.get("a") == value


@given(
    st.lists(st.tuples(st.sampled_from(["put", "get", "discard", "setdefault"]), st.integers(0, 6), st.integers(0, 40)))
)
def test_books_are_right(steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens in whatever order, both bounds hold and the weight is that of what is kept."""
    lru: Lru[int, int] = Lru(max_items=4, max_weight=100)
    for verb, key, weight in steps:
        getattr(lru, verb)(*{"put": (key, weight, weight), "setdefault": (key, weight, weight)}.get(verb, (key,)))
        assert len(lru) <= 4
        assert lru.weight <= 100
    assert lru.weight == sum(value for key in range(7) if (value := lru.get(key)) is not None)


def test_threads_share_it() -> None:
    """Threads that put, get and discard at once leave the books right."""
    lru: Lru[int, int] = Lru(max_items=50, max_weight=100)

    def use(number: int) -> None:
        for step in range(300):
            key = (number * 7 + step) % 60
            lru.put(key, key, key % 5)
            lru.get((key * 3) % 60)
            lru.discard((key * 5) % 60)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert lru.weight == sum(key % 5 for key in range(60) if lru.get(key) is not None)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads take turns after every few steps."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hurried")
def test_reading_is_in_nobodys_way() -> None:
    """It takes no lock: what is dropped or listed meanwhile is dropped and listed all the same."""
    lru: Lru[int, int] = Lru(max_items=64)
    is_done = threading.Event()

    def read() -> None:
        while not is_done.is_set():
            for key in range(64):
                lru.get(key)

    def write() -> None:
        try:
            for step in range(30_000):
                lru.put(step % 80, step, 1)
                if step % 16 == 0:
                    lru.items()
        finally:
            is_done.set()

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(work) for work in (read, read, write)]:
            done.result()
    assert (len(lru), lru.weight) == (64, 64)
