"""Rule decisions in the audit trail: what was blocked and warned of, once per decision and not per request.

*Strategy:* a decision costs its request nothing but an entry in a list. A thread of its own appends what has gathered
to the trail every few seconds, all of it in one change. A killed process loses the events of the last seconds; the
holds themselves are derived anew and lose nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from nproxy_mw.audit.events import Fact
from nproxy_mw.audit.trail import Trail
from nproxy_mw.background import Periodic
from nproxy_mw.errors import NproxyError
from nproxy_mw.firewall.database_events import ENGINE
from nproxy_mw.rules.decisions import Decision, Findings, Note
from nproxy_mw.times import timestamp

INTERVAL = 3.0
"""Seconds between two appends."""

MAX_PENDING = 20_000
"""Facts that wait in one process while the trail cannot be written; later ones are dropped, and the log says so."""

MAX_VERSIONS = 50
"""Versions that one event names; the newest by number."""

KINDS = ("rule.blocked", "rule.warned", "rule.failed", "rule.undecided")
"""Every kind of event that is written here."""

_log = logging.getLogger(__name__)


class RuleEvents:
    """Records the decisions about one organization's packages in *trail*. *look* is called before each append, to
    record what else there is.
    """

    def __init__(
        self, trail: Trail, *, look: Callable[[], None] = lambda: None, interval: float | None = INTERVAL
    ) -> None:
        self.trail = trail
        self.look = look
        self._guard = threading.Lock()
        self._pending: list[Fact] = []
        self._undecided: dict[tuple[str, str, str], list[str]] = {}  # (kind, rule, reason) -> packages
        self._thread = Periodic(self.flush, interval, name="rule-events")

    def decided(self, decision: Decision, before: Decision | None) -> None:
        """Takes a new decision in, with the one before it about the same package. What is not new is left out."""
        self._thread.ensure()
        facts = list(facts_of(decision, before))
        notes = new_notes(decision, before)
        if not facts and not notes:
            return
        with self._guard:
            room = MAX_PENDING - len(self._pending)
            self._pending.extend(facts[:room])
            for note in notes:
                self._undecided.setdefault((note.kind, note.rule, note.reason), []).append(decision.package)
        if len(facts) > room:
            _log.error("events of rules were dropped: the audit trail cannot be written")

    def flush(self) -> None:
        """Appends what has gathered. What cannot be appended waits for the next time."""
        self.look()
        with self._guard:
            pending, self._pending = self._pending, []
            undecided, self._undecided = self._undecided, {}
        facts = [*pending, *_undecided_facts(undecided)]
        if not facts:
            return
        try:
            self.trail.append(self.trail.stamp(ENGINE).events(facts))
        except NproxyError as error:
            _log.warning("events of rules were not written and will be tried again: %s", error)
            with self._guard:
                self._pending = [*pending, *self._pending][:MAX_PENDING]


def facts_of(decision: Decision, before: Decision | None) -> Iterator[Fact]:
    """Yields what *decision* blocks and warns of that *before* did not: one fact per rule."""
    pairs = (
        ("rule.blocked", decision.blocked, before.blocked if before else {}),
        ("rule.warned", decision.warned, before.warned if before else {}),
    )
    for kind, found, known in pairs:
        for rule, versions in _new_by_rule(found, known).items():
            newest = versions[-1]
            finding = next(one for one in found[newest] if one.rule == rule)
            fields: dict[str, Any] = {
                "package": decision.package,
                "rule": rule,
                "versions": versions[-MAX_VERSIONS:],
                "count": len(versions),
                "reason": finding.reason,
            }
            if finding.until is not None:
                fields["until"] = timestamp(finding.until)
            yield kind, fields


def new_notes(decision: Decision, before: Decision | None) -> list[Note]:
    """Returns the notes of *decision* that *before* did not have."""
    known = set(before.notes) if before else set()
    return [note for note in decision.notes if note not in known]


def _new_by_rule(found: Findings, known: Findings) -> dict[str, list[str]]:
    by_rule: dict[str, list[str]] = {}
    for version, findings in found.items():
        before = {finding.rule for finding in known.get(version, ())}
        for rule in {finding.rule for finding in findings} - before:
            by_rule.setdefault(rule, []).append(version)
    return by_rule


def _undecided_facts(undecided: dict[tuple[str, str, str], list[str]]) -> Iterator[Fact]:
    """One event per rule and reason, with the packages: a poor mirror makes rules say so of each one."""
    for (kind, rule, reason), packages in undecided.items():
        name = "rule.failed" if kind == "failed" else "rule.undecided"
        yield name, {"rule": rule, "reason": reason, "packages": packages[:200], "count": len(packages)}
