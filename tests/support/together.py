"""Publishes that are made in one swap, whoever comes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import TypeVar

from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.packages.store import PackageStore
from nproxy_mw.storage.turns import Gather, Turns
from nproxy_mw.testing.races import in_threads

T = TypeVar("T")

_PATIENCE = 30.0  # seconds


class Gathering(Turns[T]):
    """Turns of which the first waits until *count* threads are there. When one stays away, nothing is done."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.is_broken = False

    def serve(self, name: Hashable, item: T, timeout: float, work: Callable[[Gather[T]], None]) -> None:
        super().serve(name, item, timeout, lambda gather: work(partial(self._all, gather)))

    def _all(self, gather: Gather[T]) -> Sequence[T]:
        deadline = time.monotonic() + _PATIENCE
        while len(found := gather()) < self.count:
            if self.is_broken or time.monotonic() > deadline:
                raise StorageUnavailable("Another one did not get this far.")
            time.sleep(0.001)
        return found


def together(packages: PackageStore, *changes: Callable[[], object]) -> list[NproxyError | None]:
    """Makes *changes* of one package in one swap, in any order; returns what each was told."""
    packages.turns = gathering = Gathering(len(changes))

    def make(number: int) -> NproxyError | None:
        try:
            changes[number]()
        except NproxyError as error:
            gathering.is_broken = True
            return error
        return None

    return in_threads(len(changes), make)
