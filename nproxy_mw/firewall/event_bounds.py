"""How many events of the rules one process writes: anybody can make decisions by asking for packages.

A decision that nobody has made before is an event. A cache that dropped the decision has forgotten that, so the same
event is written once a day at most. Beyond `PER_HOUR` events of a kind, the decisions of the rest of the hour share one
event per rule: how many there were, and the first packages.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from msgspec import Struct, field

from nproxy_mw.audit.events import Fact
from nproxy_mw.json_values import Json
from nproxy_mw.lru import Lru

PER_HOUR: Mapping[str, int] = {"rule.blocked": 1000, "rule.warned": 500, "rule.undecided": 100, "rule.failed": 100}
"""Events of a kind in one hour of one process. A first install of a thousand packages warns of some hundred."""

HOUR = 3600.0  # seconds
DAY = 24 * HOUR
MAX_NAMED = 200
"""Packages that an event about several of them names."""

_MORE = "there were too many decisions of this kind within an hour for an event about each"


class Rest(Struct):
    """What one rule decided beyond the bound: the first *packages*, and how many decisions there were."""

    packages: dict[str, None] = field(default_factory=dict)
    count: int = 0

    def take(self, package: str) -> None:
        """Takes in a decision about *package*."""
        self.count += 1
        if len(self.packages) < MAX_NAMED:
            self.packages[package] = None

    def to_document(self) -> dict[str, Any]:
        """Returns the packages and the count as an event has them."""
        return {"packages": list(self.packages), "count": self.count}


class EventBounds:
    """The bounds of one organization's events in one process. Not safe for threads. *monotonic* counts seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._recorded: Lru[bytes, float] = Lru(max_items=50_000)
        self._began = monotonic()
        self._counts: Counter[str] = Counter()
        self._rest: dict[tuple[str, str], Rest] = {}  # (kind, rule)

    def admitted(self, facts: Iterable[Fact], *, may_repeat: bool) -> Iterator[Fact]:
        """Yields those of *facts* that are written one by one.

        *may_repeat* says that nobody remembers the decision before: what was recorded within a day is left out then.
        """
        for kind, fields in facts:
            if may_repeat and self._was_recorded(kind, fields):
                continue
            if self.has_room(kind):
                yield kind, fields
            else:
                self._rest.setdefault((kind, fields["rule"]), Rest()).take(fields["package"])

    def has_room(self, kind: str) -> bool:
        """Counts one more event of a kind. Returns whether there was room for it."""
        self._counts[kind] += 1
        return self._counts[kind] <= PER_HOUR[kind]

    @property
    def is_full(self) -> bool:
        """Whether decisions wait for the end of the hour."""
        return bool(self._rest)

    def hourly(self) -> Iterator[Fact]:
        """Yields an event per rule about the rest of an hour that is over, and begins a new hour."""
        if self.monotonic() - self._began >= HOUR:
            yield from self.rest()
            self._began = self.monotonic()
            self._counts.clear()

    def rest(self) -> Iterator[Fact]:
        """Yields an event per rule about the decisions that have none of their own."""
        rest, self._rest = self._rest, {}
        for (kind, rule), one in rest.items():
            yield kind, {"rule": rule, "reason": _MORE, **one.to_document()}

    def _was_recorded(self, kind: str, fields: Json) -> bool:
        text = "\0".join([kind, fields["package"], fields["rule"], str(fields["count"]), *fields["versions"]])
        key, now = blake2b(text.encode(), digest_size=16).digest(), self.monotonic()
        recorded = self._recorded.get(key)
        if recorded is not None and now - recorded < DAY:
            return True
        self._recorded.put(key, now)
        return False
