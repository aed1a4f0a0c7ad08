"""How many events of each kind a day has, from the names of the index's objects: none of them is opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from nproxy_mw.audit.index import kinds_of
from nproxy_mw.storage.port import Storage

MAX_DAYS = 20_000
"""Days that one process remembers, of all organizations together."""


class EventCounts:
    """Counts by organization and day. A day that is over is counted once."""

    def __init__(self) -> None:
        self._over: dict[tuple[str, date], Mapping[str, int]] = {}

    def of(self, org: str, storage: Storage, day: date, today: date) -> Mapping[str, int]:
        """Returns how many events of each kind *day* has on *storage*, that of the organization *org*."""
        known = self._over.get((org, day))
        if known is not None:
            return known
        counted = kinds_of(storage, day)
        if (today - day).days > 1:  # the clock of another host may be a little behind
            if len(self._over) >= MAX_DAYS:
                self._over.clear()
            self._over[org, day] = counted
        return counted
