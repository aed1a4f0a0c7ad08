"""The engine: every rule looks at one history, and the results are merged into one decision. Pure.

*Strategy:* each rule runs alone and yields its verdicts. A verdict counts as the rule's mode says, unless an exception
covers it. Blocked versions are then taken out in one pass, and the dist-tags are repaired for what is left. A rule that
raises never takes the registry down: it is left out, or holds every version where it says so, and a note tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.decisions import Decision, Finding, Note
from nproxy_mw.rules.port import CannotTell, Knowledge, Rule, Verdict
from nproxy_mw.rules.tags import moved, repaired

Covers = Callable[[str, str], datetime | None]
"""Returns when the exception ends that covers a version (first) from a rule (second); None when none does."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A rule with its mode (``block``, ``warn`` or ``off``) and its parameters."""

    rule: Rule
    mode: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What one rule said, in its own order."""

    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def versions(self) -> frozenset[str]:
        """The flagged versions."""
        return frozenset(verdict.version for verdict in self.verdicts)


def judge(
    history: History, rules: Sequence[Configured], knowledge: Knowledge, covers: Covers = lambda version, rule: None
) -> Decision:
    """Returns the decision about every version of *history*. *covers* looks up exceptions."""
    return merge(history, rules, outcomes(history, rules, knowledge), covers)


def outcomes(history: History, rules: Sequence[Configured], knowledge: Knowledge) -> dict[str, Outcome]:
    """Runs every rule that is not off, and returns what each said, by its id."""
    by_id = {configured.rule.id: configured for configured in rules}
    found: dict[str, Outcome] = {}

    def flagged_by(rule: str) -> frozenset[str]:
        if rule not in found and rule in by_id:
            found[rule] = _run(by_id[rule], history, knowing)
        return found[rule].versions if rule in found else frozenset()

    knowing = replace(knowledge, flagged_by=flagged_by)
    for configured in rules:
        if configured.mode != "off" and configured.rule.id not in found:
            found[configured.rule.id] = _run(configured, history, knowing)
    return found


def merge(history: History, rules: Sequence[Configured], found: Mapping[str, Outcome], covers: Covers) -> Decision:
    """Merges what the rules said into one decision."""
    blocked: dict[str, list[Finding]] = {}
    warned: dict[str, list[Finding]] = {}
    excepted: dict[str, list[Finding]] = {}
    ends: list[datetime] = []
    for configured in rules:
        if configured.mode == "off":
            continue
        for verdict in found[configured.rule.id].verdicts:
            exempt_until = covers(verdict.version, configured.rule.id)
            blocks = configured.mode == "block" and not verdict.only_warns
            place = excepted if exempt_until else blocked if blocks else warned
            finding = Finding(configured.rule.id, verdict.reason, verdict.until)
            place.setdefault(verdict.version, []).append(finding)
            ends.extend(end for end in (verdict.until, exempt_until) if end is not None)
    allowed = tuple(release.version for release in history.by_number if release.version not in blocked)
    tags = repaired(history.tags, allowed)
    return Decision(
        package=history.name,
        allowed=allowed,
        blocked=_frozen(blocked),
        warned=_frozen(warned),
        excepted=_frozen(excepted),
        notes=tuple(
            note for configured in rules if configured.mode != "off" for note in found[configured.rule.id].notes
        ),
        tags=tags,
        moved=moved(history.tags, tags, {release.version for release in history.releases}),
        valid_until=min(ends, default=None),
        by_number=history.has_import_times,
    )


def _run(configured: Configured, history: History, knowledge: Knowledge) -> Outcome:
    rule, outcome = configured.rule, Outcome()
    try:
        for word in rule.check(history, configured.parameters, knowledge):
            if isinstance(word, CannotTell):
                outcome.notes.append(Note(rule.id, "cannot-tell", word.reason))
            else:
                outcome.verdicts.append(word)
    except Exception as error:  # a host's rule may raise anything
        reason = "the rule failed on this package"
        outcome.notes.append(Note(rule.id, "failed", f"{reason}: {type(error).__name__}"))
        if getattr(rule, "fails_closed", False):
            outcome.verdicts = [Verdict(release.version, reason) for release in history.releases]
    return outcome


def _frozen(found: Mapping[str, Iterable[Finding]]) -> dict[str, tuple[Finding, ...]]:
    return {version: tuple(findings) for version, findings in found.items()}
