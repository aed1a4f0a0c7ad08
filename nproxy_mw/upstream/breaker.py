"""A circuit breaker: a registry that does not respond is left alone for a while, and no request waits for it.

Closed, every request passes. After failures in a row it opens: requests are refused at once. When its rest is over, one
request passes as a probe (half-open); its success closes the breaker, its failure opens it again for twice as long.

Source: M. Nygard, Release It!, second edition, chapter 5.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens after *failures* different things failed in a row, for *rest* seconds; at most *longest* after more probes.

    A probe that does not come back within *patience* seconds counts as failed. *monotonic* counts seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        rest: float = 2.0,
        longest: float = 60.0,
        patience: float = 30.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = failures
        self.rest = rest
        self.longest = longest
        self.patience = patience
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._failed: set[Hashable] = set()
        self._rest = rest
        self._open_until: float | None = None  # None: closed; a time: open until then, half-open afterwards
        self._probe_ends = 0.0

    @property
    def state(self) -> State:
        """What the next request would meet: an open breaker whose rest is over is half-open."""
        until = self._open_until
        if until is None:
            return "closed"
        return "open" if self.monotonic() < until else "half-open"

    def seconds_left(self) -> float:
        """Returns how long requests will be refused; 0 when one would pass."""
        with self._guard:
            now = self.monotonic()
            if self._open_until is None:
                return 0.0
            return max(self._open_until - now, self._probe_ends - now, 0.0)

    def passes(self) -> bool:
        """Returns whether a request may go ahead. Of the callers of a half-open breaker, one may: it is the probe."""
        if self._open_until is None:
            return True
        with self._guard:
            now = self.monotonic()
            if self._open_until is None:
                return True
            if now < self._open_until or now < self._probe_ends:
                return False
            self._probe_ends = now + self.patience
            return True

    def succeeded(self) -> None:
        """Closes the breaker: the registry answers."""
        if self._open_until is None and not self._failed:
            return
        with self._guard:
            self._failed.clear()
            self._open_until, self._rest, self._probe_ends = None, self.rest, 0.0

    def failed(self, thing: Hashable) -> None:
        """Counts a failure of *thing*. One thing that fails again and again says nothing about the others."""
        with self._guard:
            now = self.monotonic()
            if self._open_until is not None:
                if self._probe_ends > now:
                    self._rest = min(self._rest * 2, self.longest)
                    self._open_until, self._probe_ends = now + self._rest, 0.0
                return
            self._failed.add(thing)
            if len(self._failed) >= self.failures:
                self._open_until = now + self._rest
