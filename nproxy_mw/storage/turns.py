"""Threads of one process that want the same thing changed: those that wait meanwhile are served together.

To write an object takes as long for several changes as for one. So a thread that finds nobody at work does its own at
once; the threads that come meanwhile stand in line, and then the first of them does the work of all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct, field

from nproxy_mw.errors import Busy, NproxyError, StorageUnavailable
from nproxy_mw.storage.locks import BUSY

T = TypeVar("T")

Gather: TypeAlias = Callable[[], Sequence[T]]
"""Returns everything that is to be done by now, in the order in which it came. Nobody else will do it."""


class _Place(Struct, Generic[T], eq=False):
    """One thread's place in line. Its *gate* opens when it *is_first*, or when it was served."""

    item: T
    gate: threading.Lock = field(default_factory=threading.Lock)
    is_first: bool = False
    error: NproxyError | None = None


_item_of = attrgetter("item")


class Turns(Generic[T]):
    """The lines of those who wait, one for each name that a thread is at work on."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._lines: dict[Hashable, list[_Place[T]]] = {}

    def serve(self, name: Hashable, item: T, timeout: float, work: Callable[[Gather[T]], None]) -> None:
        """Has *item* done: by ``work(gather)`` in this thread, or by another thread together with its own.

        Raises:
            Busy: nobody began with it within *timeout* seconds.
            StorageUnavailable: the thread that did it broke off. It may have been done.
            NproxyError: whatever *work* raised, in this thread or in that one.
        """
        name = (os.getpid(), name)  # the child of a fork has none of the threads that it would wait for
        place = _Place(item)
        try:
            self._stand_in_line(name, place, timeout)
        except BaseException:  # such as what a signal's handler raises
            self._give_up(name, place)
            raise
        if place.is_first:
            self._lead(name, item, work)
        elif place.error is not None:
            raise place.error

    def _stand_in_line(self, name: Hashable, place: _Place[T], timeout: float) -> None:
        """Returns when *place* is the first, or was served."""
        with self._guard:
            line = self._lines.get(name)
            if line is None:
                self._lines[name], place.is_first = [], True
                return
            place.gate.acquire()
            line.append(place)
        if place.gate.acquire(timeout=timeout):
            return
        with self._guard:
            if place in line:
                line.remove(place)
                raise Busy(BUSY)
        place.gate.acquire()  # somebody is at work on it

    def _give_up(self, name: Hashable, place: _Place[T]) -> None:
        """Leaves the line. Those behind would wait in vain for a thread that is gone."""
        with self._guard:
            line = self._lines.get(name, [])
            if place in line:
                line.remove(place)
        if place.is_first:
            self._leave(name)

    def _lead(self, name: Hashable, item: T, work: Callable[[Gather[T]], None]) -> None:
        """Does the work of this thread, and of those who wait in line when *work* gathers them."""
        served: list[_Place[T]] = []

        def gather() -> Sequence[T]:
            with self._guard:
                served.extend(self._lines[name])
                self._lines[name].clear()
            return [item, *map(_item_of, served)]

        error: NproxyError | None = None
        try:
            work(gather)
        except NproxyError as raised:
            error = raised
            raise
        except BaseException:
            error = StorageUnavailable("It may have been stored: look before you try again.")
            raise
        finally:
            self._leave(name)
            for place in served:
                place.error = error
                place.gate.release()

    def _leave(self, name: Hashable) -> None:
        """Lets the first in line begin."""
        with self._guard:
            line = self._lines[name]
            if line:
                first = line.pop(0)
                first.is_first = True
                first.gate.release()
            else:
                del self._lines[name]
