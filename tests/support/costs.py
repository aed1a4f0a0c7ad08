"""What work costs at the most: in memory, and in time of the processor."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

ROUNDS = 5


def least_memory(run: Callable[[], object], enough: float) -> float:
    """The peak of memory, in bytes, that *run* allocates.

    It is the least of a few rounds, and the first that is below *enough* ends them: what other threads of the process
    allocate meanwhile is counted, too, so that a round may say too much, and never too little.
    """
    return _least(_memory, run, enough)


def least_work(run: Callable[[], object], enough: float) -> float:
    """The seconds of the processor that *run* takes in this thread; the least of a few rounds, as `least_memory`.

    A busy machine makes the same work longer: its threads share caches, and a virtual one counts what others took.
    """
    return _least(_work, run, enough)


def _least(cost: Callable[[Callable[[], object]], float], run: Callable[[], object], enough: float) -> float:
    least = cost(run)
    for _ in range(ROUNDS - 1):
        if least < enough:
            break
        least = min(least, cost(run))
    return least


def _memory(run: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _work(run: Callable[[], object]) -> float:
    begun = time.thread_time()
    run()
    return time.thread_time() - begun
