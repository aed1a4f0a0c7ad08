"""Threads that want the same thing changed: one is at work, and the others are served together."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Timer

import pytest
from support.forks import holds_in_child

from nproxy_mw.errors import Busy, Conflict, StorageUnavailable
from nproxy_mw.storage.turns import Gather, Turns

PATIENCE = 30.0


class Works:
    """What was done together, in order. The first work waits until *count* came, each later one takes who is there."""

    def __init__(self, count: int = 1) -> None:
        self.turns: Turns[str] = Turns()
        self.done: list[Sequence[str]] = []
        self.began = threading.Event()
        self.count = count

    def work(self, gather: Gather[str]) -> None:
        self.began.set()
        deadline = time.monotonic() + PATIENCE
        while len(found := gather()) < self.count and time.monotonic() < deadline:
            time.sleep(0.001)
        self.count = 1
        self.done.append(found)

    def serve(self, item: str, timeout: float = PATIENCE) -> None:
        self.turns.serve("name", item, timeout, self.work)


class Held(Works):
    """Works of which the first gathers, and goes on when it may: what comes meanwhile waits for the second."""

    def __init__(self, count: int = 1, *, error: Exception | None = None) -> None:
        super().__init__(count)
        self.gathered, self.may_end = threading.Event(), threading.Event()
        self.error = error

    def work(self, gather: Gather[str]) -> None:
        super().work(gather)
        self.gathered.set()
        assert self.may_end.wait(PATIENCE)
        if self.error is not None:
            error, self.error = self.error, None
            raise error


def begun(pool: ThreadPoolExecutor, works: Works, items: Sequence[str]) -> list[Future[None]]:
    """Begins with the first of *items* before the others come."""
    first = pool.submit(works.serve, items[0])
    assert works.began.wait(PATIENCE)
    return [first, *(pool.submit(works.serve, item) for item in items[1:])]


def _is_served(works: Works) -> bool:
    done: list[Sequence[str]] = []
    works.turns.serve("name", "b", 0.01, lambda gather: done.append(gather()))
    return done == [["b"]]


class _Interrupted(BaseException):
    pass


def _interrupt(*_: object) -> None:
    raise _Interrupted


def error_of(future: Future[None]) -> type[BaseException] | None:
    return type(error) if (error := future.exception(PATIENCE)) else None


def test_one_alone_is_served_at_once() -> None:
    """Nobody waits for others that may come, and a second turn is like the first."""
    works = Works()
    works.serve("a")
    works.serve("b")
    assert works.done == [["a"], ["b"]]


def test_those_who_wait_are_served_by_the_first() -> None:
    """One work does what all of them want; its own comes first."""
    works = Works(count=5)
    with ThreadPoolExecutor(5) as pool:
        assert [error_of(future) for future in begun(pool, works, "abcde")] == [None] * 5
    (together,) = works.done
    assert together[0] == "a"
    assert sorted(together) == ["a", "b", "c", "d", "e"]


def test_who_comes_after_the_gathering_is_served_by_the_next() -> None:
    """Nothing is added to a work that is under way, and those who wait for the next one are served together."""
    works = Held()
    with ThreadPoolExecutor(4) as pool:
        first = begun(pool, works, "a")
        assert works.gathered.wait(PATIENCE)
        works.count = 3
        others = [pool.submit(works.serve, item) for item in "bcd"]
        works.may_end.set()
        assert [error_of(future) for future in (*first, *others)] == [None] * 4
    assert works.done[0] == ["a"]
    assert sorted(works.done[1]) == ["b", "c", "d"]
    assert len(works.done) == 2


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (Conflict("No."), Conflict),
        (StorageUnavailable("Gone."), StorageUnavailable),
        (ValueError(), StorageUnavailable),
    ],
    ids=["refusal", "storage", "bug"],
)
def test_error_is_told_to_all_that_were_gathered(raised: Exception, told: type[Exception]) -> None:
    """Whoever waits for a work that breaks off is told that it may have been done; who comes later is served."""
    works = Held(2, error=raised)
    with ThreadPoolExecutor(3) as pool:
        futures = begun(pool, works, "ab")
        assert works.gathered.wait(PATIENCE)
        late = pool.submit(works.serve, "c")
        works.may_end.set()
        assert [error_of(future) for future in futures] == [type(raised), told]
        assert error_of(late) is None
    assert works.done[-1] == ["c"]


def test_who_waits_too_long_is_not_served() -> None:
    """It is told so, and nobody does its work later."""
    works = Held()
    with ThreadPoolExecutor(1) as pool:
        (first,) = begun(pool, works, "a")
        assert works.gathered.wait(PATIENCE)
        with pytest.raises(Busy):
            works.serve("b", timeout=0.01)
        works.may_end.set()
        assert error_of(first) is None
    works.serve("c")
    assert works.done == [["a"], ["c"]]


def test_who_was_gathered_is_told_the_outcome_however_late() -> None:
    """Its time is over while it is being served: it is not told that nothing was done."""
    works = Held(2)
    with ThreadPoolExecutor(2) as pool:
        (first,) = begun(pool, works, "a")
        second = pool.submit(works.serve, "b", 0.2)
        assert works.gathered.wait(PATIENCE)
        with pytest.raises(TimeoutError):
            second.exception(0.5)
        works.may_end.set()
        assert [error_of(first), error_of(second)] == [None, None]
    assert works.done == [["a", "b"]]


def test_who_is_interrupted_leaves_the_line() -> None:
    """A signal's handler raises in a thread that waits: those behind it are served all the same."""
    works = Held()
    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, _interrupt)
    try:
        with ThreadPoolExecutor(2) as pool:
            (first,) = begun(pool, works, "a")
            assert works.gathered.wait(PATIENCE)
            Timer(0.3, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            with pytest.raises(_Interrupted):
                works.serve("b")
            behind = pool.submit(works.serve, "c")
            works.may_end.set()
            assert [error_of(first), error_of(behind)] == [None, None]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert works.done == [["a"], ["c"]]


def test_child_of_a_fork_does_not_wait_for_the_threads_of_its_parent() -> None:
    """A thread is at work when the process forks: the child has no such thread, and is served at once."""
    works = Held()
    with ThreadPoolExecutor(1) as pool:
        (first,) = begun(pool, works, "a")
        assert works.gathered.wait(PATIENCE)
        try:
            assert holds_in_child(partial(_is_served, works))
        finally:
            works.may_end.set()
        assert error_of(first) is None


def test_other_names_do_not_wait() -> None:
    """Work on another name is done while the first one is held."""
    works = Held()
    done: list[Sequence[str]] = []
    with ThreadPoolExecutor(1) as pool:
        (first,) = begun(pool, works, "a")
        works.turns.serve("other", "b", 0.01, lambda gather: done.append(gather()))
        assert done == [["b"]]
        works.may_end.set()
        assert error_of(first) is None
