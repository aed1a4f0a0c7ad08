"""A source that is ruled: versions that an organization's security rules hold are not there.

One decision is made about a package, once per revision of its packument, state of the policy, observation and maturity
moment, and every route lives by it: packuments in all forms, single versions, dist-tags, and tarballs by any verb. A
tarball asks for the decision alone; its packument is split again only when a new decision is due.

A tarball may turn out to contradict its manifest while it is fetched for the first time. It is refused then like any
other. Of one that takes long to fetch, a client has the first bytes already: it never gets the last ones, so that the
tarball is never complete, and its next request is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Raw

from nproxy_mw.copies import replace
from nproxy_mw.errors import NotFound
from nproxy_mw.grounds import rest_on
from nproxy_mw.http.context import CURRENT
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.forms import RESTRICTIONS
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.slices import Packument, members_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.held import Held
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.sentences import finding_document, held_package, held_version
from nproxy_mw.times import Clock, utc_now
from nproxy_mw.upstream.decision_look import DecisionLook, state_of
from nproxy_mw.upstream.dependencies import Dependencies
from nproxy_mw.upstream.judged import Judged, Judgments, verdicts_in
from nproxy_mw.upstream.observations import Observation, Observe, nothing_seen
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.targets import version_of_tarball

TRUST = timedelta(minutes=30)
"""How old a decision may be when a tarball lives by it without a look at the packument."""

MAX_RESTRICTED = 200
"""Held versions that a packument lists for npm."""

Decided = Callable[[Judged, Judged | None], None]
"""Called with each new decision, by the process that made it first, and with the one before about the same package."""


class Ruled:
    """Leaves out what *policy* holds. *policy* is asked at each request; *decided* is called with each new decision.

    *observed* returns what was seen of a package; it is asked at each request, too.
    """

    def __init__(
        self,
        source: PackageSource,
        *,
        policy: Callable[[], Policy],
        judgments: Judgments | None = None,
        observed: Observe = nothing_seen,
        decided: Decided = lambda judged, before: None,
        clock: Clock = utc_now,
    ) -> None:
        self.source = source
        self.policy = policy
        self.judgments = judgments or Judgments()
        self.observed = observed
        self.decided = decided
        self.clock = clock
        self.dependencies = Dependencies(source, observed, clock)

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument without held versions. See `PackageSource`.

        Raises:
            Held: every version is held.
        """
        inner, _, state = unless.rpartition("\r")
        policy, now = self.policy(), self.clock()
        judged = self.holding(name, policy)
        known = inner if judged is not None and (judged.revision, judged.state) == (inner, state) else ""
        document = self.source.packument(name, unless=known, for_write=for_write)
        if document is None and judged is not None:
            rest_on(self._look_at(name, policy, judged))
            _tell(judged.decision, judged.verdicts)
            return None
        assert document is not None  # noqa: S101 - no condition was set
        judged = self._judged(name, document, policy, now)
        rest_on(self._look_at(name, policy, judged))
        _tell(judged.decision, judged.verdicts)
        revision = f"{document.revision}\r{judged.state}"
        if revision == unless:
            return None
        if judged.decision.blocks_everything:
            raise _held(judged.decision, held_package(judged.decision))
        return ruled_document(document, judged.decision, revision)

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the dist-tags, repaired. Raises as `packument`."""
        decision = self.decision(name, trust=timedelta())
        _tell(decision, verdicts_in(decision.blocked.values(), decision.warned.values()))
        if decision.blocks_everything:
            raise _held(decision, held_package(decision))
        return decision.tags

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Hands keys and attestations on."""
        return self.source.document(route, unless=unless)

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens the tarball of a version that is not held. See `PackageSource`.

        Raises:
            Held: the version is held, or the upstream took it away.
        """
        version = version_of_tarball(name, filename)
        seen = self.observed(str(name))
        self._check(name, version, seen)
        blob = self.source.tarball(name, filename, part)

        def check_again() -> None:
            latest = self.observed(str(name), current=True)
            if latest != seen:
                self._check(name, version, latest)

        try:
            check_again()
        except BaseException:
            blob.close()
            raise
        is_kept = blob.file is not None
        return blob if is_kept else blob.through(_checked_at_end(blob, check_again))

    def _check(self, name: Name, version: str, seen: Observation) -> None:
        """Passes when a tarball may be handed out, given what was just *seen* of its package. Raises as `tarball`."""
        decision = self.decision(name, seen=seen)
        if not decision.knows(version):
            decision = self.decision(name, past=True)
        blocked, warned = decision.blocked.get(version, ()), decision.warned.get(version, ())
        _write_down(verdicts_in([blocked], [warned]), int(bool(blocked)), int(bool(warned)))
        if blocked:
            raise _held(decision, held_version(decision, version), version)
        if not decision.knows(version):
            raise NotFound("The upstream registry has no such tarball.", code="tarball-not-found")

    def decision(
        self, name: Name, *, past: bool = False, trust: timedelta = TRUST, seen: Observation | None = None
    ) -> Decision:
        """Returns the decision about a package; *past* looks at the upstream first. Raises as `packument`.

        One that is younger than *trust* needs no look at the packument. If *seen* is None, `observed` is asked.
        """
        policy, now = self.policy(), self.clock()
        judged = self.holding(name, policy, seen)
        if judged is not None and not past and now - judged.made < trust:
            rest_on(self._look_at(name, policy, judged, trust))
            return judged.decision
        rest_on(None)
        document = self.source.packument(name, unless=judged.revision if judged else "", for_write=past)
        if document is None and judged is not None:
            self.judgments.confirm(str(name), replace(judged, made=now))
            return judged.decision
        assert document is not None  # noqa: S101 - no condition was set
        return self._judged(name, document, policy, now).decision

    def history(self, name: Name) -> History:
        """Returns the history of a package, held versions included, for explanations. Raises as `packument`."""
        document = self.source.packument(name)
        assert document is not None  # noqa: S101 - no condition was set
        with document.alone():
            return document.history

    def knowledge(self, history: History, policy: Policy) -> Knowledge:
        """Returns all that the rules may know about a package."""
        seen, held = self.observed(history.name), self.dependencies.held(history, policy)
        return policy.knowledge(history, self.clock(), seen, held)

    def state(self, name: Name, policy: Policy, seen: Observation | None = None) -> str:
        """Names all that a decision is made from beside the packument. *seen*: see `decision`."""
        return state_of(policy, self.observed(str(name)) if seen is None else seen)

    def holding(self, name: Name, policy: Policy, seen: Observation | None = None) -> Judged | None:
        """Returns the last decision about a package if it still holds, of whatever revision. *seen*: see `decision`."""
        judged = self.judgments.find(str(name))
        return judged if judged is not None and judged.holds(self.state(name, policy, seen), self.clock()) else None

    def _look_at(self, name: Name, policy: Policy, judged: Judged, trust: timedelta | None = None) -> DecisionLook:
        return DecisionLook(
            str(name),
            judged,
            policy,
            trust=trust,
            judgments=self.judgments,
            observed=self.observed,
            clock=self.clock,
        )

    def _judged(self, name: Name, document: Document, policy: Policy, now: datetime) -> Judged:
        """Returns the decision about *document*: one that is kept, or a new one."""
        before, state = self.judgments.remembered(str(name)), self.state(name, policy)
        for kept in filter(None, (before, self.judgments.stored(str(name)))):
            if kept.revision == document.revision and kept.holds(state, now):
                return kept
            before = before or kept
        with document.alone():
            history = document.history
        decision = judge(history, policy.rules, self.knowledge(history, policy), policy.covers(str(name)))
        judged = Judged(revision=document.revision, policy=state, made=now, decision=decision)
        if self.judgments.keep(str(name), judged):
            self.decided(judged, before)
        return judged


def _tell(decision: Decision, verdicts: Sequence[tuple[str, str]]) -> None:
    """Tells the layers above what the rules flag of a package."""
    _write_down(verdicts, len(decision.blocked), len(decision.warned))


def _write_down(verdicts: Sequence[tuple[str, str]], blocked: int, warned: int) -> None:
    context = CURRENT.get()
    if context is not None:
        context.verdicts, context.versions_blocked, context.versions_warned = verdicts, blocked, warned


def _checked_at_end(blob: Blob, check: Callable[[], None]) -> Iterator[bytes]:
    """Yields what *blob* has, its last chunk only when *check* passes: all of it has been looked into then."""
    last = b""
    for chunk in blob:
        if last:
            yield last
        last = chunk
    check()
    yield last


def ruled_document(document: Document, decision: Decision, revision: str) -> Document:
    """Returns *document* without what *decision* blocks, at *revision*."""
    if not decision.blocked and not decision.moved:
        return document.at(revision)
    with document.alone():
        return document.at(revision, stripped(document.packument, decision))


def stripped(packument: Packument, decision: Decision) -> Packument:
    """Returns *packument* without blocked versions: ``versions``, ``time`` and ``dist-tags`` are pruned together.

    ``policyRestrictions`` lists them for npm, which reads it when nothing else satisfies a request (npm-pick-manifest)
    and then prints the message. Other clients ignore it.
    """
    blocked = decision.blocked
    members = dict(packument.members)
    if "time" in members:
        times = members_of(members["time"])
        members["time"] = Raw(msgspec.json.encode({key: raw for key, raw in times.items() if key not in blocked}))
    members[RESTRICTIONS] = Raw(msgspec.json.encode(_restrictions(packument, decision)))
    return replace(
        packument,
        members=members,
        versions={version: one for version, one in packument.versions.items() if version not in blocked},
        tags=decision.tags,
        withheld={version: _refusal_of(decision, version) for version in blocked},
    )


def _refusal_of(decision: Decision, version: str) -> Callable[[], Held]:
    return lambda: _held(decision, held_version(decision, version), version)


def _restrictions(packument: Packument, decision: Decision) -> Mapping[str, object]:
    held = [version for version in packument.versions if version in decision.blocked][-MAX_RESTRICTED:]
    newest = held[-3:]
    manifests = {version: {"name": packument.name, "version": version, "dist": {}} for version in held}
    return {"message": "\n".join(held_version(decision, version) for version in newest), "versions": manifests}


def _held(decision: Decision, sentence: str, version: str | None = None) -> Held:
    versions = [version] if version is not None else list(decision.blocked)[-20:]
    rules = [finding_document(one, finding) for one in versions for finding in decision.blocked[one]]
    return Held(sentence, package=decision.package, version=version or "", rules=rules)
