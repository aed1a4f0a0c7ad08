"""The engine: every rule looks at one history, and the results are merged into one decision. Pure.

*Strategy:* each rule runs alone and yields its words. A verdict counts as the rule's mode says, unless an exception
covers it. Blocked versions are then taken out in one pass, and the dist-tags are repaired for what is left. A rule that
raises never takes the registry down: what it flagged before stands, or every version is flagged where it asks for that,
and a note says that it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, field

from nproxy_mw.copies import replace
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.decisions import Decision, Finding, Note
from nproxy_mw.rules.port import CannotTell, Knowledge, Recheck, Rule, Verdict, Word
from nproxy_mw.rules.tags import moved, repaired
from nproxy_mw.rules.wording import plain

Covers = Callable[[str, str], datetime | None]
"""Returns when the exception ends that covers a version (first) from a rule (second); None when none does."""

LONGEST_REASON = 500  # characters


class Configured(Struct, frozen=True):
    """A rule with its mode (``block``, ``warn`` or ``off``) and its parameters."""

    rule: Rule
    mode: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Outcome(Struct):
    """What one rule said, in its own order. *rechecks* are moments from which it may say something else."""

    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    rechecks: list[datetime] = field(default_factory=list)

    @property
    def versions(self) -> frozenset[str]:
        """The flagged versions."""
        return frozenset(verdict.version for verdict in self.verdicts)


def no_exceptions(version: str, rule: str) -> datetime | None:
    """The `Covers` of a package without exceptions."""
    return None


def judge(
    history: History, rules: Sequence[Configured], knowledge: Knowledge, covers: Covers = no_exceptions
) -> Decision:
    """Returns the decision about every version of *history*. *covers* looks up exceptions."""
    return merge(history, rules, outcomes(history, rules, knowledge), covers, knowledge.now)


def outcomes(history: History, rules: Sequence[Configured], knowledge: Knowledge) -> dict[str, Outcome]:
    """Runs every rule that is not off, and those that these ask for, and returns what each said, by its id."""
    by_id = {configured.rule.id: configured for configured in rules}
    found: dict[str, Outcome] = {}

    def run(rule: str) -> Outcome:
        if rule not in found:
            found[rule] = Outcome()  # before it runs: rules that ask about each other see what was flagged so far
            if rule in by_id:
                _run(by_id[rule], history, knowing, found[rule])
        return found[rule]

    knowing = replace(knowledge, flagged_by=lambda rule: run(rule).versions)
    for configured in rules:
        if configured.mode != "off":
            run(configured.rule.id)
    return found


def merge(
    history: History, rules: Sequence[Configured], found: Mapping[str, Outcome], covers: Covers, now: datetime
) -> Decision:
    """Merges what the rules said at the moment *now* into one decision."""
    blocked: dict[str, list[Finding]] = {}
    warned: dict[str, list[Finding]] = {}
    excepted: dict[str, list[Finding]] = {}
    heard = [(configured, found[configured.rule.id]) for configured in rules if configured.mode != "off"]
    ends: set[datetime | None] = {moment for _, outcome in heard for moment in outcome.rechecks}
    for configured, outcome in heard:
        rule, may_block = configured.rule.id, configured.mode == "block"
        for verdict in outcome.verdicts:
            exempt_until = covers(verdict.version, rule)
            place = excepted if exempt_until else blocked if may_block and not verdict.only_warns else warned
            place.setdefault(verdict.version, []).append(Finding(rule, verdict.reason, verdict.until))
            if verdict.until or exempt_until:
                ends |= {verdict.until, exempt_until}
    allowed = tuple(release.version for release in history.by_number if release.version not in blocked)
    tags = repaired(history.tags, allowed)
    return Decision(
        package=history.name,
        allowed=allowed,
        blocked=_frozen(blocked),
        warned=_frozen(warned),
        excepted=_frozen(excepted),
        notes=tuple(dict.fromkeys(note for _, outcome in heard for note in outcome.notes)),
        tags=tags,
        moved=moved(history.tags, tags),
        valid_until=min((end for end in ends if end is not None and end > now), default=None),
        by_number=len(history.releases) > 1 and history.is_ordered_by_number,
    )


def _run(configured: Configured, history: History, knowledge: Knowledge, outcome: Outcome) -> None:
    rule, shown = configured.rule, dict[str, str]()
    try:
        for word in rule.check(history, configured.parameters, knowledge):
            _hear(word, rule.id, outcome, shown)
    except Exception as error:  # a host's rule may raise anything
        reason = "the rule failed on this package"
        outcome.notes.append(Note(rule.id, "failed", f"{reason}: {type(error).__name__}"))
        if getattr(rule, "fails_closed", False):
            outcome.verdicts = [Verdict(release.version, reason) for release in history.releases]


def _hear(word: Word, rule: str, outcome: Outcome, shown: dict[str, str]) -> None:
    """Notes one word of a rule. Raises for anything else: a rule of a host may yield anything.

    *shown* has the reasons that were heard before, as they are shown: thousands of versions share a few.
    """
    if isinstance(word, Verdict):
        if not isinstance(word.version, str) or (word.until is not None and word.until.tzinfo is None):
            raise ValueError("A verdict has a version, and perhaps a moment with its time zone.")
        reason = shown.get(word.reason)
        if reason is None:
            reason = shown[word.reason] = plain(word.reason, LONGEST_REASON)
        outcome.verdicts.append(word if reason == word.reason else msgspec.structs.replace(word, reason=reason))
    elif isinstance(word, CannotTell):
        reason = plain(word.reason, LONGEST_REASON)
        outcome.notes.append(Note(rule, "cannot-tell", reason, word.is_outage))
    elif isinstance(word, Recheck):
        outcome.rechecks.append(word.at)
    else:
        raise TypeError("A rule yields verdicts.")


def _frozen(found: Mapping[str, Iterable[Finding]]) -> dict[str, tuple[Finding, ...]]:
    return {version: tuple(findings) for version, findings in found.items()}
