"""Callbacks: none is lost, whoever leaves it and whenever, and the poller is woken no more often than it must be."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

import pytest

from nproxy_mw.cli.worker.callbacks import Callbacks


@pytest.fixture
def callbacks() -> Iterator[Callbacks]:
    callbacks = Callbacks()
    callbacks.init()
    yield callbacks
    callbacks.close()


def is_woken(callbacks: Callbacks, seconds: float = 0) -> bool:
    return bool(select.select([callbacks.fileno()], [], [], seconds)[0])


def test_many_callbacks_wake_the_poller_once(callbacks: Callbacks) -> None:
    """All are called, in their order."""
    called: list[int] = []
    for number in range(100):
        callbacks.defer(called.append, number)
    assert os.read(callbacks.fileno(), 10) == b"\0"
    callbacks.run_callbacks(None)
    assert called == list(range(100))
    assert not is_woken(callbacks)


def test_callback_that_leaves_another_wakes_the_poller_again(callbacks: Callbacks) -> None:
    """It is not called in the same turn, so that clients have theirs in between."""
    called: list[str] = []
    callbacks.defer(lambda: callbacks.defer(called.append, "second"))
    callbacks.run_callbacks(None)
    assert called == []
    assert is_woken(callbacks)
    callbacks.run_callbacks(None)
    assert called == ["second"]


def test_no_callback_is_lost_between_threads(callbacks: Callbacks) -> None:
    """A poller that waits for the pipe alone, as the worker's does, calls what four threads leave."""
    called: list[int] = []
    threads = [
        threading.Thread(target=lambda: [callbacks.defer(called.append, number) for number in range(5000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while len(called) < 20_000:
        assert is_woken(callbacks, 60)
        callbacks.run_callbacks(None)
    for thread in threads:
        thread.join()


def test_ended_worker_takes_callbacks_and_drops_them(callbacks: Callbacks) -> None:
    """A thread that is done late does no harm."""
    read, write = os.pipe()
    os.close(read)
    real, callbacks._write_fd = callbacks._write_fd, write
    callbacks.defer(print)
    os.close(write)
    callbacks._write_fd = real
