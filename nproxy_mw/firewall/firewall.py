"""The firewall as one object: the source that public packages are read from, and the questions about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from nproxy_mw.errors import NproxyError
from nproxy_mw.firewall.advisories import own_advisories
from nproxy_mw.firewall.policies import Policies
from nproxy_mw.npm.audits import OwnAdvisories, OwnAdvisory
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.explain import explain_package, explain_version
from nproxy_mw.rules.replay import Change, changes
from nproxy_mw.times import Clock, utc_now
from nproxy_mw.upstream.judged import Judged, Judgments
from nproxy_mw.upstream.observations import Observations, nothing_seen
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.public_only import PublicOnly
from nproxy_mw.upstream.ruled import Ruled


class DecisionLog(Protocol):
    """Where decisions are recorded."""

    def decided(self, decision: Decision, before: Decision | None) -> None:
        """Takes a new decision, and the one before it about the same package. Raises nothing."""
        ...


class Firewall:
    """Reads public packages from *inner* through the rules of *policies*. It is asked for nothing internal.

    *judgments* keep decisions; if it is None, this process keeps its own. *observations* are what was seen of packages;
    if it is None, nothing was. *log* records decisions; if it is None, nobody does. Clients read `source`; `unruled` is
    the same before any rule, for people who decide about a hold.
    """

    def __init__(
        self,
        inner: PackageSource,
        policies: Policies,
        *,
        judgments: Judgments | None = None,
        observations: Observations | None = None,
        log: DecisionLog | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.unruled = PublicOnly(inner, lambda: policies.settings().internal_scopes)
        self.policies = policies
        self.judgments = judgments or Judgments()
        self.log = log
        self.clock = clock
        self.source = Ruled(
            self.unruled,
            policy=policies,
            judgments=self.judgments,
            observed=observations.of if observations else nothing_seen,
            decided=self._decided,
            clock=clock,
        )

    def explain(self, name: Name, version: str = "") -> dict[str, Any]:
        """Returns why a version is allowed or held, or what holds for the whole package when *version* is empty.

        Raises:
            NotFound, Forbidden, UpstreamUnavailable, UpstreamTimeout, Busy: as the source's packument.
        """
        history, policy = self.source.history(name), self.policies()
        if not version:
            return explain_package(self.source.decision(name), history)
        version = history.tags.get(version, version)
        knowledge = self.source.knowledge(history, policy)
        return explain_version(history, policy.rules, knowledge, policy.covers(str(name)), version)

    def replay(self, settings: Settings, packages: Mapping[str, Any] | list[str]) -> Iterator[Change]:
        """Yields what would change for *packages* if the organization had *settings*. Absent packages are left out."""
        present, other = self.policies(), self.policies.of(settings)
        for package in packages:
            try:
                history = self.source.history(parse_name(package))
            except NproxyError:
                continue
            knowledge = self.source.knowledge(history, present)
            before = judge(history, present.rules, knowledge, present.covers(package))
            after = judge(history, other.rules, replace(knowledge), other.covers(package))
            yield from changes(before, after)

    @property
    def has_advisories(self) -> bool:
        """Whether there is intelligence that advisories come from."""
        return self.policies().intelligence is not None

    def advisories(self, asked: Mapping[str, Sequence[str]]) -> OwnAdvisories:
        """Returns what is known against audited versions, and which of them are held, by package.

        Nothing is asked of the upstream: a version counts as held when a decision about its package is kept.
        """
        policy, now = self.policies(), self.clock()
        found = {name: list(self._advisories(name, versions, policy, now)) for name, versions in asked.items()}
        return {name: advisories for name, advisories in found.items() if advisories}

    def _advisories(self, name: str, versions: Sequence[str], policy: Policy, now: datetime) -> Iterator[OwnAdvisory]:
        judged = self.judgments.find(name)
        held = judged.decision.blocked if judged is not None and judged.holds(policy.state, now) else {}
        return own_advisories(name, versions, policy.alerts_on(name, versions), held)

    def _decided(self, judged: Judged, before: Judged | None) -> None:
        if self.log is not None:
            self.log.decided(judged.decision, before.decision if before else None)


FirewallOf: TypeAlias = Callable[[str], Firewall | None]
"""Returns the rules of the organization of that id; None when there is no upstream."""
