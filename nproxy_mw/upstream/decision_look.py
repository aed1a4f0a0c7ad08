"""The look at a decision of the rules: is it still the one that holds?

It is asked for each repeated answer, so it goes the short way first: the same objects as at the last look say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from nproxy_mw.times import Clock
from nproxy_mw.upstream.judged import Judged, Judgments
from nproxy_mw.upstream.observations import Observation, Observe
from nproxy_mw.upstream.policy import Policy


def state_of(policy: Policy, seen: Observation) -> str:
    """Names all that a decision is made from beside the packument: the policy, and what was seen of the package."""
    return f"{policy.state}/{seen.state}" if seen.state else policy.state


class DecisionLook:
    """Whether *judged* is the decision about *package* by *policy*, and was made no longer than *trust* ago.

    If *trust* is None, its age does not matter.
    """

    __slots__ = ("_clock", "_find", "_judged", "_observed", "_package", "_policy", "_same", "_until")

    def __init__(
        self,
        package: str,
        judged: Judged,
        policy: Policy,
        *,
        trust: timedelta | None,
        judgments: Judgments,
        observed: Observe,
        clock: Clock,
    ) -> None:
        self._package = package
        self._judged = judged
        self._policy = policy
        self._find: Callable[[str], Judged | None] = judgments.remembered
        self._observed = observed
        self._clock = clock
        self._until = _until(judged, trust)
        self._same: tuple[Observation, str] | None = None  # by which it was made, when it was last looked at

    def __call__(self) -> bool:
        if self._find(self._package) is not self._judged or (self._until is not None and self._clock() >= self._until):
            return False
        seen, state, same = self._observed(self._package), self._policy.state, self._same
        if same is not None and seen is same[0] and state == same[1]:
            return True
        if self._judged.policy != state_of(self._policy, seen):
            return False
        self._same = seen, state
        return True


def _until(judged: Judged, trust: timedelta | None) -> datetime | None:
    """When *judged* is to be made anew, whatever is known then; None for never."""
    ends = (judged.decision.valid_until, None if trust is None else judged.made + trust)
    return min(filter(None, ends), default=None)
