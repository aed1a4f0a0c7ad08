"""A clock that is set by hand."""

from __future__ import annotations


class Clock:
    """Seconds from *now* on; it stands still unless a test moves it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
