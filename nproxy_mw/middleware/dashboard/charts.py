"""Bar charts by day, in the units of an SVG that the templates draw. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 800, 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a chart: where it stands, and what it says."""

    day: str
    value: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with a title for those who do not see it, and the words for one and for many of what it counts."""

    title: str
    one: str
    many: str
    bars: Sequence[Bar]

    @property
    def total(self) -> int:
        """All days together."""
        return sum(bar.value for bar in self.bars)

    @property
    def most(self) -> int:
        """The highest day."""
        return max((bar.value for bar in self.bars), default=0)


def chart(title: str, one: str, many: str, values: Sequence[tuple[date, int]]) -> Chart:
    """Returns the chart of *values*, the oldest day first."""
    most, step = max((value for _, value in values), default=0) or 1, WIDTH / max(len(values), 1)
    bars = [
        Bar(f"{day:%Y-%m-%d}", value, place * step + 2, HEIGHT - HEIGHT * value / most, step - 4, HEIGHT * value / most)
        for place, (day, value) in enumerate(values)
    ]
    return Chart(title, one, many, bars)
