"""A bounded map that drops what was used longest ago. Safe for threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most *max_items* values whose weights are together at most *max_weight*.

    If *max_weight* is None, only their number is bounded. What a weight means is the caller's choice, such as bytes. A
    value that is heavier than *max_weight* is not kept, and pushes nothing else out.
    """

    def __init__(self, *, max_items: int, max_weight: int | None = None) -> None:
        self.max_items = max_items
        self.max_weight = max_weight
        self.weight = 0
        """The sum of the weights of all values that are kept."""
        self._guard = threading.Lock()
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> list[tuple[K, V]]:
        """Returns the keys and values of this moment, the least recently used first."""
        with self._guard:
            values = list(self._values.items())  # in one step: `get` may come in between any two
        return [(key, value) for key, (value, _) in values]

    def get(self, key: K) -> V | None:
        """Returns the value of *key*, which thereby counts as used last; None when there is none."""
        try:  # without the lock: each step is whole by itself, and what is dropped in between counts as absent
            found = self._values[key]
            self._values.move_to_end(key)
        except KeyError:
            return None
        return found[0]

    def put(self, key: K, value: V, weight: int = 0) -> None:
        """Keeps *value* under *key* in place of an earlier one, and drops the least recently used over the bounds."""
        with self._guard:
            self._drop(key)
            self._keep(key, value, weight)

    def setdefault(self, key: K, value: V, weight: int = 0) -> V:
        """Returns the value of *key*; keeps and returns *value* when there is none."""
        with self._guard:
            found = self._values.get(key)
            if found is not None:
                return found[0]
            self._keep(key, value, weight)
            return value

    def discard(self, key: K) -> None:
        """Drops the value of *key*, if there is one."""
        with self._guard:
            self._drop(key)

    def _keep(self, key: K, value: V, weight: int) -> None:
        if self.max_weight is not None and weight > self.max_weight:
            return
        self._values[key] = (value, weight)
        self.weight += weight
        while len(self._values) > self.max_items or (self.max_weight is not None and self.weight > self.max_weight):
            self.weight -= self._values.popitem(last=False)[1][1]  # in one step: see `items`

    def _drop(self, key: K) -> None:
        found = self._values.pop(key, None)
        if found is not None:
            self.weight -= found[1]
