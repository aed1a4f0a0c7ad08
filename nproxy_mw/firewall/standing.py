"""What the rules say of many packages at once, for a list of them.

A list asks nobody about its packages. The decisions that hold are known. Where something changed since the last one,
such as the rules, a thread decides by what is kept of the package; a list waits for it a moment, and shows the rest
when it is asked again. Such a decision is not the one that clients get: it leaves out holds that follow from
dependencies, because the upstream might have to be asked about those. So it is remembered here and nowhere else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

from msgspec import Struct

from nproxy_mw.background import Job
from nproxy_mw.lru import Lru
from nproxy_mw.npm.names import Name, names_in
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.times import Clock
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.ruled import Ruled

WAIT = 0.5
"""Seconds that a list waits for the thread."""

_MOST = 20_000
"""Packages that are remembered."""


class Provisional(Struct, frozen=True):
    """A decision by what is kept of a package, or None when nothing is; and what it was made from: *state*."""

    state: str
    decision: Decision | None

    def holds(self, state: str, now: datetime) -> bool:
        """Whether it would be made again."""
        until = self.decision.valid_until if self.decision else None
        return self.state == state and (until is None or now < until)


class StandingDecisions:
    """The decisions of *ruled* about packages, and those that *decide* makes by what is kept of a package.

    *policies* returns the present policy.
    """

    def __init__(
        self,
        ruled: Ruled,
        policies: Callable[[], Policy],
        decide: Callable[[Name, Policy], Decision | None],
        clock: Clock,
    ) -> None:
        self.ruled = ruled
        self.policies = policies
        self.decide = decide
        self.clock = clock
        self._made: Lru[Name, Provisional] = Lru(max_items=_MOST)
        self._wanted: deque[Name] = deque(maxlen=_MOST)
        self._job = Job("decisions of listed packages", self._decide_wanted)

    def of(self, packages: Iterable[str]) -> dict[str, Decision]:
        """Returns the decisions about *packages*, without those that are not made yet or cannot be made here."""
        policy, names = self.policies(), list(names_in(packages))
        decisions = {name: self._decision(name, policy) for name in names}
        lacking = [name for name in names if decisions[name] is None and not self._is_made(name, policy)]
        if lacking:
            self._wanted.extend(lacking)
            self._job.start()
            self._job.wait(WAIT)
            decisions |= {name: self._decision(name, policy) for name in lacking}
        return {str(name): decision for name, decision in decisions.items() if decision is not None}

    def _decision(self, name: Name, policy: Policy) -> Decision | None:
        judged = self.ruled.holding(name, policy)
        if judged is not None:
            return judged.decision
        made = self._made.get(name)
        return made.decision if made is not None and self._is_made(name, policy) else None

    def _is_made(self, name: Name, policy: Policy) -> bool:
        made = self._made.get(name)
        return made is not None and made.holds(self.ruled.state(name, policy), self.clock())

    def _decide_wanted(self) -> None:
        policy = self.policies()
        while self._wanted:
            name = self._wanted.popleft()
            if not self._is_made(name, policy):
                state = self.ruled.state(name, policy)
                self._made.put(name, Provisional(state, self.decide(name, policy)))
