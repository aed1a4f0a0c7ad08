"""Work on many things, a few at a time."""

from __future__ import annotations

import io
import itertools
import threading

import pytest

from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress


def test_answers_come_in_order():
    """Whatever finishes first, the answers come in the order of the questions."""
    assert list(map_ordered(lambda number: number * 2, range(100))) == [number * 2 for number in range(100)]


def test_endless_work_is_taken_bit_by_bit():
    """Of an endless supply no more is taken than a few ahead."""
    taken = itertools.count()
    answers = map_ordered(lambda _: None, (next(taken) for _ in itertools.count()), threads=2)
    next(answers)
    answers.close()
    assert next(taken) <= 6


def test_work_is_done_side_by_side():
    """Two pieces that wait for each other both get done."""
    both = threading.Barrier(2, timeout=60)
    assert len(list(map_ordered(lambda _: both.wait(), range(2), threads=2))) == 2


def test_failure_comes_out():
    """An exception of the work comes out where its answer would have."""
    answers = map_ordered(lambda number: 1 // (2 - number), range(5), threads=1)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(answers)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only():
    """Counts go to a terminal, and not into a log."""
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        progress = Progress(stream)
        progress.count("packages")
        progress.clear()
    assert log.getvalue() == ""
    assert "1 packages" in terminal.getvalue()


def test_progress_is_shown_now_and_then():
    """A thousand counts at one moment are one line."""
    terminal = Terminal()
    progress = Progress(terminal, monotonic=lambda: 7.0)
    for _ in range(1000):
        progress.count("packages")
    assert terminal.getvalue().count("packages") == 1
    assert str(progress) == "1,000 packages"


def test_progress_of_nothing_is_false():
    """So a caller can say something else than an empty list."""
    progress = Progress()
    assert not progress
    progress.count("objects", 0)
    assert (bool(progress), str(progress)) == (False, "")
    progress.count("objects")
    assert (bool(progress), str(progress)) == (True, "1 objects")
