"""How far a long run has come: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

_EVERY = 0.2  # seconds; a slow terminal must not slow the work
_CLEAR = "\r\x1b[K"


class Progress:
    """Counts by name; shows the counts on *stream* when that is a terminal. False while nothing was counted."""

    def __init__(self, stream: TextIO | None = None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self._stream = stream if stream is not None and stream.isatty() else None
        self._monotonic = monotonic
        self._shown = float("-inf")

    def __bool__(self) -> bool:
        return bool(+self.counts)

    def __str__(self) -> str:
        return ", ".join(f"{number:,} {what}" for what, number in self.counts.items() if number)

    def count(self, what: str, number: int = 1) -> None:
        """Counts *number* more of *what*, a noun in the plural."""
        self.counts[what] += number
        now = self._monotonic()
        if self._stream and now - self._shown >= _EVERY:
            self._shown = now
            self._stream.write(f"{_CLEAR}{self}")
            self._stream.flush()

    def clear(self) -> None:
        """Clears the line, before something else is printed."""
        if self._stream and self._shown > float("-inf"):
            self._shown = float("-inf")
            self._stream.write(_CLEAR)
            self._stream.flush()
