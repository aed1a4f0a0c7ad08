"""How often a source may be asked: an allowance that is used at once or little by little, and comes back with time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Allowance:
    """At most *most* uses at once; *per_minute* come back, little by little. Safe for threads."""

    def __init__(self, most: int, per_minute: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self.per_second = per_minute / 60
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._left = float(most)
        self._counted_at = monotonic()

    def take(self) -> bool:
        """Takes one use. Returns whether there was one."""
        with self._guard:
            now = self.monotonic()
            self._left = min(self.most, self._left + (now - self._counted_at) * self.per_second)
            self._counted_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
