"""What happened in an organization lately, counted by a thread of its own and kept.

Events are counted by the names of the index's objects, and installs by the index of the ledger. A month of a busy
organization has a hundred thousand events, which is more than a request may read. So a request begins the count, waits
a moment for it, and shows what is there. A day that is over is counted once on a host (`DayCounts`); today is counted
anew as often as that is cheap.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import TypeVar

from nproxy_mw.background import Job
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.times import Clock, utc_now

DAYS = 30
MOMENT = 0.3  # seconds that a request waits for the count
DECISIONS = 100  # of the rules, the newest, that are counted by rule
MAX_ORGANIZATIONS = 256
PATIENCE = 100
"""A count is kept this many times as long as it took to make."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Day:
    """How many events of each kind a day has, and how many installs."""

    kinds: Mapping[str, int] = field(default_factory=dict)
    installs: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """The last `DAYS` days, the oldest first; None where a day is not counted yet.

    *by_rule* are the newest decisions of the rules: how many events blocked and warned, by rule.
    """

    days: Sequence[tuple[date, Day | None]]
    by_rule: Mapping[str, Mapping[str, int]]

    @property
    def is_complete(self) -> bool:
        """Whether every day is counted."""
        return all(day is not None for _, day in self.days)


class ActivityCounts:
    """Activity by organization. *clock* returns the present time; *monotonic* counts seconds."""

    def __init__(self, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.monotonic = monotonic
        self._guard = threading.Lock()
        self._counts: dict[str, _Count] = {}

    def of(self, organization: Organization) -> Activity:
        """Returns what is counted, after a moment's wait for the rest."""
        with self._guard:
            if len(self._counts) >= MAX_ORGANIZATIONS:
                self._counts.clear()
            count = self._counts.setdefault(organization.id, _Count(organization.id))
        today = self.clock().date()
        count.job.work = partial(count.run, organization, today, self.monotonic)
        count.job.start()
        count.job.wait(MOMENT)
        return count.activity(today)


class _Count:
    """What is counted of one organization."""

    def __init__(self, org: str) -> None:
        self.job = Job(f"count of what happened in {org}", lambda: None)
        self._days: dict[date, tuple[Day, float]] = {}  # and until when it counts
        self._by_rule: tuple[Mapping[str, Mapping[str, int]], float] = {}, 0.0

    def activity(self, today: date) -> Activity:
        days = [today - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)]
        found = [(day, self._days[day][0] if day in self._days else None) for day in days]
        return Activity(found, self._by_rule[0])

    def run(self, organization: Organization, today: date, monotonic: Callable[[], float]) -> None:
        if monotonic() >= self._by_rule[1]:
            self._by_rule = self._kept(lambda: _by_rule(organization), monotonic, is_over=False)
        installs = organization.seen_index.fetches()
        if installs is None:  # the index is still being made
            return
        for ago in range(DAYS):  # the newest first
            day = today - timedelta(days=ago)
            if day not in self._days or monotonic() >= self._days[day][1]:
                is_over = organization.day_counts.is_over(day)
                self._days[day] = self._kept(partial(_day, organization, day, installs), monotonic, is_over=is_over)

    def _kept(self, count: Callable[[], _T], monotonic: Callable[[], float], *, is_over: bool) -> tuple[_T, float]:
        begun = monotonic()
        found, done = count(), monotonic()
        return found, float("inf") if is_over else done + PATIENCE * (done - begun)


def _day(organization: Organization, day: date, installs: Mapping[date, int]) -> Day:
    return Day(organization.day_counts.of(day), installs.get(day, 0))


def _by_rule(organization: Organization) -> Mapping[str, Mapping[str, int]]:
    events, _ = organization.trail.page(limit=DECISIONS, event=("rule.blocked", "rule.warned"))
    found: dict[str, Counter[str]] = {}
    for event in events:
        found.setdefault(str(event.get("rule", "")), Counter())[str(event["event"])] += 1
    return found
