"""How much a run measures, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

WORKERS = 2
"""Processes of each server that can have several."""

THREADS = 64
"""Threads of each process of the Python servers. With fewer than 20, ours refuses some of 15 cold requests at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Bounds on count and time. All durations are in seconds."""

    is_quick: bool
    budget: float  # no measurement begins after so long
    packages: int  # of the synthetic corpus
    rounds: int  # of cheap measures
    costly_rounds: int  # of measures that take many seconds
    seconds: float  # of load for each hot case
    publishes: int
    versions: tuple[int, ...]  # publish into a package that has so many
    many: tuple[int, ...]  # read and search among so many packages
    growth: float  # time for reaching the last of either, for each server


QUICK = Plan(
    is_quick=True,
    budget=180,
    packages=160,
    rounds=2,
    costly_rounds=1,
    seconds=1,
    publishes=64,
    versions=(10, 200),
    many=(10, 200),
    growth=8,
)
FULL = Plan(
    is_quick=False,
    budget=3 * 3600,
    packages=884,
    rounds=5,
    costly_rounds=3,
    seconds=3,
    publishes=300,
    versions=(10, 1000, 5000),
    many=(10, 1000, 20_000),
    growth=600,
)


@dataclass(slots=True)
class Clock:
    """How much of a budget is left."""

    budget: float
    now: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.now()

    def elapsed(self) -> float:
        """Returns the seconds since the start."""
        return self.now() - self.started

    def is_over(self) -> bool:
        """Returns whether the budget is used up."""
        return self.elapsed() >= self.budget
