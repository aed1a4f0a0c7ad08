"""The firewall as one object: the source that public packages are read from, and the questions about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from nproxy_mw.copies import replace
from nproxy_mw.errors import NproxyError
from nproxy_mw.firewall.advisories import NO_FINDINGS, advised, own_advisories
from nproxy_mw.firewall.policies import Policies
from nproxy_mw.firewall.standing import StandingDecisions
from nproxy_mw.intelligence.combined import known_alerts, learned
from nproxy_mw.npm.audits import OwnAdvisories, OwnAdvisory
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.explain import explain_package, explain_version
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.replay import Change, changes, history_at, knowledge_at
from nproxy_mw.times import Clock, utc_now
from nproxy_mw.upstream.cached import Cached
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


def nothing_kept(name: Name) -> Document | None:
    """Returns None: where no packument is kept."""
    return None


class Firewall:
    """Reads public packages from *inner* through the rules of *policies*. It is asked for nothing internal.

    *judgments* keep decisions; if it is None, this process keeps its own. *observations* are what was seen of packages;
    if it is None, nothing was. *kept* returns a packument that is kept, and asks nobody. *log* records decisions; if it
    is None, nobody does. Clients read `source`; `unruled` is the same before any rule, for people who decide about a
    hold. `standing` is what the rules say of many packages at once.
    """

    def __init__(
        self,
        inner: PackageSource,
        policies: Policies,
        *,
        judgments: Judgments | None = None,
        observations: Observations | None = None,
        kept: Callable[[Name], Document | None] = nothing_kept,
        log: DecisionLog | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.notes_grounds = type(inner) is Cached
        """Whether answers made of `source` may be repeated (`nproxy_mw.grounds`): a host's own may go by more."""
        self.unruled = PublicOnly(inner, lambda: policies.settings().internal_scopes)
        self.policies = policies
        self.judgments = judgments or Judgments()
        self.kept = kept
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
        self.standing = StandingDecisions(self.source, policies, self._kept_decision, clock)

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

    def replay(
        self, settings: Settings, packages: Iterable[str], fetched: Mapping[tuple[str, str], datetime] | None = None
    ) -> Iterator[Change]:
        """Yields what would change for *packages* if the organization had *settings*. Absent packages are left out.

        A version (package, number) that was *fetched* is judged by the facts of that moment: by what had been published
        then, versions and advisories, and by the ages of then. The others are judged by the facts of now.
        """
        present, other = self.policies(), self.policies.of(settings)
        for package in packages:
            try:
                history = self.source.history(parse_name(package))
            except NproxyError:
                continue
            moments = {version: at for (name, version), at in (fetched or {}).items() if name == package}
            knowledge = self.source.knowledge(history, present)
            yield from (one for one in _changes(history, knowledge, present, other) if one.version not in moments)
            for version, moment in moments.items():
                yield from self._changes_at(history, version, moment, present, other)

    def _changes_at(
        self, history: History, version: str, moment: datetime, present: Policy, other: Policy
    ) -> Iterator[Change]:
        then = history_at(history, moment, version)
        knowledge = present.knowledge(then, moment, self.source.observed(history.name))
        for change in _changes(then, knowledge_at(knowledge, moment), present, other):
            if change.version == version:
                yield replace(change, at=moment)

    @property
    def has_advisories(self) -> bool:
        """Whether there is intelligence that advisories come from."""
        return self.policies().intelligence is not None

    def advisories(self, asked: Mapping[str, Sequence[str]], *, of_stranger: bool = False) -> OwnAdvisories:
        """Returns what is known against audited versions, and which of them are held, by package. See `Advisors`.

        Nothing is asked of the upstream: what is held is decided by what is kept of a package. Of a package that was
        never fetched, nothing is held here.
        """
        policy = self.policies()
        policy = replace(policy, intelligence=learned(policy.intelligence, list(asked), of_stranger=of_stranger))

        def advise(name: str, versions: Sequence[str]) -> Iterator[OwnAdvisory]:
            decision = self._kept_decision(parse_name(name), policy)
            held = decision.blocked if decision is not None else NO_FINDINGS
            return own_advisories(name, versions, known_alerts(policy.intelligence, name, versions), held)

        return advised(asked, advise)

    def _kept_decision(self, name: Name, policy: Policy) -> Decision | None:
        """The decision about a package that holds, or one by what is kept of it; None when nothing is."""
        judged = self.source.holding(name, policy)
        if judged is not None:
            return judged.decision
        document = self.kept(name)
        if document is None:
            return None
        try:
            with document.alone():
                history = document.history
        except NproxyError:
            return None
        # Not of its dependencies: the upstream might have to be asked about them.
        knowledge = policy.knowledge(history, self.clock(), self.source.observed(str(name)))
        return judge(history, policy.rules, knowledge, policy.covers(str(name)))

    def _decided(self, judged: Judged, before: Judged | None) -> None:
        if self.log is not None:
            self.log.decided(judged.decision, before.decision if before else None)


def _changes(history: History, knowledge: Knowledge, present: Policy, other: Policy) -> Iterator[Change]:
    before = judge(history, present.rules, knowledge, present.covers(history.name))
    return changes(before, judge(history, other.rules, knowledge, other.covers(history.name)))


FirewallOf: TypeAlias = Callable[[str], Firewall | None]
"""Returns the rules of the organization of that id; None when there is no upstream."""
