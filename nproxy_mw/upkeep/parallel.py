"""The same work on many items, a few at a time, so that a store on the network can be read as a whole in good time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 8


def map_ordered(work: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS) -> Iterator[Result]:
    """Yields the result of *work* for each of *items*, in their order.

    At most twice *threads* items are taken ahead of what was yielded, so *items* may be endless. The first exception of
    *work* is raised in its turn, and ends it.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="upkeep")
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= 2 * threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
