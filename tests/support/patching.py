"""Replacing a function that the whole process shares, for the thread of the test alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
