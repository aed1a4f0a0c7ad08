"""How many events of each kind a day has, from the names of the index's objects: none of them is opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from nproxy_mw.audit.index import kinds_of
from nproxy_mw.middleware.dashboard.package_names import PATIENCE
from nproxy_mw.storage.port import Storage

MAX_DAYS = 20_000
"""Days that one process remembers, of all organizations together."""


@dataclass(frozen=True, slots=True)
class _Counted:
    kinds: Mapping[str, int]
    until: float


class EventCounts:
    """Counts by organization and day. *clock* counts seconds.

    A day that is over is counted once; today's count is kept as `PackageNames` keeps its lists.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counted: dict[tuple[str, date], _Counted] = {}

    def of(self, org: str, storage: Storage, day: date, today: date) -> Mapping[str, int]:
        """Returns how many events of each kind *day* has on *storage*, that of the organization *org*."""
        known, begun = self._counted.get((org, day)), self._clock()
        if known is not None and begun < known.until:
            return known.kinds
        kinds = kinds_of(storage, day)
        done = self._clock()
        is_over = (today - day).days > 1  # the clock of another host may be a little behind
        if len(self._counted) >= MAX_DAYS:
            self._counted.clear()
        self._counted[org, day] = _Counted(kinds, float("inf") if is_over else done + PATIENCE * (done - begun))
        return kinds
