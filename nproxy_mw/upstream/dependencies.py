"""What holds a version because of its dependencies: which new ones have no allowed version here, and in which chain.

A version waits for a new dependency that is held, and one that needs exactly that version waits with it. A chain is
followed only where few versions of a dependency will do: of many, one is old enough to have no new dependency.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from nproxy_mw.copies import replace
from nproxy_mw.errors import NproxyError
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Verdict
from nproxy_mw.times import Clock
from nproxy_mw.upstream.new_dependencies import asked_for, few_satisfy, new_dependencies, verdict_on
from nproxy_mw.upstream.observations import Observe
from nproxy_mw.upstream.policy import Policy

MAX_CHAIN = 3
"""Packages in a chain of dependencies that is followed to one that is held."""

Chain: TypeAlias = tuple[str, ...]


class Dependencies:
    """The dependencies of packages of *source*, of which *observed* says what was seen."""

    def __init__(self, source: PackageSource, observed: Observe, clock: Clock) -> None:
        self.source = source
        self.observed = observed
        self.clock = clock

    def held(self, history: History, policy: Policy) -> tuple[Verdict, ...]:
        """Returns verdicts on those versions whose new dependencies have no allowed version."""
        return tuple(self._verdicts(history, policy, ()))

    def _verdicts(self, history: History, policy: Policy, above: Chain) -> Iterator[Verdict]:
        """Yields the verdicts on a package on which those *above* depend."""
        if policy.mode_of("held_dependency") == "off" or len(above) >= MAX_CHAIN or history.name in above:
            return
        for release, dependencies in new_dependencies(history):
            for name, specifier in dependencies.items():
                asked = asked_for(name, specifier)
                decision = self._decision(*asked, policy, (*above, history.name)) if asked else None
                verdict = verdict_on(release, *asked, decision) if asked and decision else None
                if verdict is not None:
                    yield verdict

    def _decision(self, dependency: str, wanted: str, policy: Policy, above: Chain) -> Decision | None:
        """The decision about a dependency; None when it cannot be had."""
        try:
            document = self.source.packument(parse_name(dependency))
            assert document is not None  # noqa: S101 - no condition was set
            with document.alone():
                history = document.history
        except NproxyError:  # absent, refused, or the upstream is away: the install will show it
            return None
        covers = policy.covers(dependency)
        knowledge = policy.knowledge(history, self.clock(), self.observed(dependency))
        decision = judge(history, policy.rules, knowledge, covers)
        held = tuple(self._verdicts(history, policy, above)) if few_satisfy(wanted, decision) else ()
        return judge(history, policy.rules, replace(knowledge, held_dependencies=held), covers) if held else decision
