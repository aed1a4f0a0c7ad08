"""Races for tests: the same work in many threads or processes, started together."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import ParamSpec, TypeVar

from nproxy_mw.errors import Changed, Exists
from nproxy_mw.storage.port import Revision, Storage

P = ParamSpec("P")
T = TypeVar("T")

_START_TIMEOUT = 60.0  # seconds


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """Returns the results of ``work(0)`` to ``work(count - 1)``, each in a thread of its own, started together."""
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait(_START_TIMEOUT)
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def in_processes(count: int, work: Callable[[int], T]) -> list[T]:
    """Returns the results of ``work(0)`` to ``work(count - 1)``, each in a new process, started together.

    *work* is pickled: a function of a module, or a ``functools.partial`` of one.
    """
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    with ProcessPoolExecutor(count, context, wait_for, (start,)) as processes:
        return list(processes.map(work, range(count)))


def wait_for(start: Barrier) -> None:
    """Waits until every process is up."""
    start.wait(_START_TIMEOUT)


def try_to_create(opener: Callable[[], Storage], keys: list[str], number: int) -> list[bool]:
    """Tries to create each of *keys*; returns which of them this contender won."""
    storage = opener()
    return [wins(storage.create, key, f"contender {number}".encode()) for key in keys]


def try_to_replace(storage: Storage, key: str, revision: Revision, number: int) -> bool:
    """Tries to replace the object of *key*; returns whether this contender won."""
    return wins(storage.replace, key, f"{number} over {revision}".encode(), revision)


def wins(write: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Returns whether a conditional write came first."""
    try:
        write(*args, **kwargs)
    except (Exists, Changed):
        return False
    return True


def increment(opener: Callable[[], Storage], key: str, times: int, number: int) -> int:
    """Increments the object of *key* *times* times, and tries again whenever another contender came first."""
    storage = opener()
    for _ in range(times):
        while not wins(add_one, storage, key):
            pass
    return number


def add_one(storage: Storage, key: str) -> None:
    """Reads a number and writes the next one. Raises `Changed`."""
    stored = storage.read(key)
    storage.replace(key, str(int(stored.data) + 1).encode(), stored.revision)
