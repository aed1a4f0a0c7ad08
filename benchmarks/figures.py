"""The arithmetic of measurements: spreads, percentiles, ratios, and how numbers are written. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What a number means: its *title*, its *unit*, and whether less of it is better."""

    title: str
    unit: str
    is_less_better: bool = True


FIGURES = {
    "cpu_us": Figure("server CPU per request", "µs"),
    "cpu_ms": Figure("server CPU per publish", "ms"),
    "cpu_s": Figure("server CPU", "s"),
    "user_s": Figure("npm's user CPU", "s"),
    "wall_s": Figure("wall time", "s"),
    "rate": Figure("rate", "/s", is_less_better=False),
    "mb_s": Figure("throughput", "MB/s", is_less_better=False),
    "p50_ms": Figure("median latency", "ms"),
    "p99_ms": Figure("99th percentile of latency", "ms"),
    "connections": Figure("connections", ""),
    "fetches": Figure("upstream fetches", ""),
    "bad": Figure("wrong answers", ""),
    "refused": Figure("refused publishes", ""),
    "lost": Figure("accepted publishes that were lost", ""),
    "pss_mb": Figure("memory (PSS)", "MB"),
    "ready_ms": Figure("time until the first answer", "ms"),
}
"""All figures, by the key under which samples hold them."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, with the smallest and the largest value."""

    median: float
    low: float
    high: float
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Returns the spread of *values*.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("A spread needs at least one value.")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest of *values* that at least *percent* of them do not exceed (the nearest-rank method).

    Raises:
        ValueError: there are no values, or *percent* is not within 0 and 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError("A percentile needs at least one value, and a percent from 0 to 100.")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def advantage(figure: Figure, own: float, reference: float) -> float | None:
    """Returns how many times better *own* is than *reference*; None if either is zero or less."""
    if own <= 0 or reference <= 0:
        return None
    return reference / own if figure.is_less_better else own / reference


def short(number: float) -> str:
    """Returns *number* with three significant digits, and with commas between thousands: 0.0123, 1.23, 123, 12,300."""
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else "-"
    digits = 2 - math.floor(math.log10(abs(number)))
    rounded = round(number, digits)
    text = f"{rounded:,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
