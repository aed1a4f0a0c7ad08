"""Replacing a function that the whole process shares, for the thread of the test alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest


def patch_here(patch: pytest.MonkeyPatch, owner: object, name: str, replacement: Callable[..., Any]) -> None:
    """Replaces *name* of *owner* by *replacement* for calls of this thread.

    Threads that earlier tests left in the background (a ledger that flushes, a cache that evicts) call the real one.
    """
    real: Callable[..., Any] = getattr(owner, name)
    here = threading.get_ident()

    def call(*arguments: Any, **options: Any) -> Any:
        return (replacement if threading.get_ident() == here else real)(*arguments, **options)

    patch.setattr(owner, name, call)


class Here(Executor):
    """An executor without threads: what is submitted is done by the thread that submits it."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)
        return future
