"""What is true of every `Locks`, as tests. Subclass `LocksContract` for locks of your own::

    class TestOurLocks(LocksContract):
        @pytest.fixture
        def opener(self, tmp_path):
            return partial(OurLocks, tmp_path)

        between_processes = True  # where they are to order several processes

pytest then collects every fact below as a test of that class.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Lock

import pytest

from nproxy_mw.errors import Busy
from nproxy_mw.storage.locks import Locks
from nproxy_mw.testing.races import in_processes, in_threads

LONG = 30.0  # seconds: more than any wait of these tests needs
NAMES = ["", "a", "@acme/utils", "../../etc/passwd", "/", "a\0b", "é\u2028", "x" * 10_000]


class LocksContract:
    """What is true of every `Locks`. Subclass it, and give it a fixture ``opener``."""

    between_processes = False
    contenders = 8
    rounds = 20

    @pytest.fixture
    def opener(self) -> Callable[[], Locks]:
        """A function that opens the locks; picklable where they order processes."""
        pytest.fail("Give this class a fixture named opener, with a function that opens the locks.")

    @pytest.fixture
    def locks(self, opener: Callable[[], Locks]) -> Locks:
        """The locks."""
        return opener()

    @pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
    def test_any_name_can_be_held_again_and_again(self, locks: Locks, name: str) -> None:
        """A name is a text, and free after each block, and after one that an error left."""
        for _ in range(3):
            with locks.hold(name, 0):
                pass
        with pytest.raises(KeyError), locks.hold(name, 0):
            raise KeyError
        with locks.hold(name, 0):
            pass

    def test_held_is_held_for_everybody(self, locks: Locks) -> None:
        """Who holds a name and asks for it again is told what others are told; the holder loses nothing by it."""
        with locks.hold("a", 0):
            for _ in range(2):
                with pytest.raises(Busy), locks.hold("a", 0):
                    pytest.fail("The name was held twice.")
            assert in_threads(1, lambda _: _is_free(locks, "a")) == [False]
        assert in_threads(1, lambda _: _is_free(locks, "a")) == [True]

    def test_waiting_ends_with_the_holder(self, locks: Locks) -> None:
        """Who waits gets the name once it is free, well before the end of their patience."""
        is_held, may_go = Event(), Event()

        def work(number: int) -> str:
            if number:
                is_held.wait(LONG)
                may_go.set()
                with locks.hold("a", LONG):
                    return "second"
            with locks.hold("a", LONG):
                is_held.set()
                may_go.wait(LONG)
                return "first"

        assert in_threads(2, work) == ["first", "second"]

    def test_one_thread_at_a_time(self, locks: Locks) -> None:
        """Of many threads that take turns, two are never in the block."""
        alone = Lock()

        def work(_: int) -> int:
            for _ in range(self.rounds):
                with locks.hold("a", LONG):
                    assert alone.acquire(blocking=False), "two threads held the name"
                    alone.release()
            return self.rounds

        assert sum(in_threads(self.contenders, work)) == self.contenders * self.rounds

    def test_one_process_at_a_time(self, opener: Callable[[], Locks], tmp_path: Path) -> None:
        """Processes that count one file up lose nothing."""
        if not self.between_processes:
            return
        counter = tmp_path / "counter"
        counter.write_text("0")
        in_processes(3, partial(_count, opener, counter, self.rounds))
        assert int(counter.read_text()) == 3 * self.rounds

    def test_killed_holder_holds_nothing(self, opener: Callable[[], Locks]) -> None:
        """What a killed process held is free at once."""
        if not self.between_processes:
            return
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        holder = context.Process(target=_hold, args=(opener, there))
        holder.start()
        assert here.recv() == "held"
        assert not _is_free(opener(), "a")
        holder.kill()
        holder.join()
        with opener().hold("a", LONG):
            pass


def _is_free(locks: Locks, name: str) -> bool:
    try:
        with locks.hold(name, 0):
            return True
    except Busy:
        return False


def _count(opener: Callable[[], Locks], counter: Path, times: int, number: int) -> int:
    locks = opener()
    for _ in range(times):
        with locks.hold("counter", LONG):
            counter.write_text(str(int(counter.read_text()) + 1))
    return number


def _hold(opener: Callable[[], Locks], there: Connection) -> None:
    with opener().hold("a", LONG):
        there.send("held")
        there.recv()  # until it is killed
