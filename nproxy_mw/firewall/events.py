"""Rule decisions in the audit trail: what was blocked and warned of, once per decision and not per request.

*Strategy:* a decision costs its request nothing but an entry in a list. A thread of its own appends what has gathered
to the trail every few seconds, all of it in one change. A killed process loses the events of the last seconds; the
holds themselves are derived anew and lose nothing. How many events there may be is bounded
(`nproxy_mw.firewall.event_bounds`), and an outage of intelligence is one event (`nproxy_mw.firewall.outages`).
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
from nproxy_mw.firewall.event_bounds import HOUR, EventBounds, Rest
from nproxy_mw.firewall.outages import Outages, Sighting, sighting_of
from nproxy_mw.rules.decisions import Decision, Findings, Note
from nproxy_mw.times import timestamp

INTERVAL = 3.0
"""Seconds between two appends."""

MAX_PENDING = 20_000
"""Facts that wait in one process while the trail cannot be written; later ones are dropped, and the log says so."""

MAX_VERSIONS = 50
"""Versions that one event names; the newest by number."""

KINDS = ("rule.blocked", "rule.warned", "rule.failed", "rule.undecided", "rule.recovered")
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
        self._flushing = threading.Lock()
        self._bounds = EventBounds()
        self._outages = Outages(trail.storage)
        self._pending: list[Fact] = []
        self._undecided: dict[tuple[str, str, str], Rest] = {}  # by kind, rule and reason
        self._sightings: list[Sighting] = []
        self._thread = Periodic(self.flush, interval, name="rule-events")
        self._rest = Periodic(self.finish, interval and HOUR, name="rule-events-rest")

    def decided(self, decision: Decision, before: Decision | None) -> None:
        """Takes a new decision in, with the one before it about the same package. What is not new is left out."""
        self._thread.ensure()
        facts, sighting = facts_of(decision, before), sighting_of(decision, before)
        with self._guard:
            self._take(list(self._bounds.admitted(facts, may_repeat=before is None)))
            for note in new_notes(decision, before):
                self._undecided.setdefault((note.kind, note.rule, note.reason), Rest()).take(decision.package)
            if sighting.away or sighting.was_away or self._outages.is_open:
                self._sightings = [*self._sightings, sighting][-MAX_PENDING:]
            is_full = self._bounds.is_full
        if is_full:
            self._rest.ensure()

    def flush(self) -> None:
        """Appends what has gathered. What cannot be appended waits for the next time."""
        self.look()
        self._append(lambda: [*self._bounds.hourly(), *self._undecided_facts(self._bounds.has_room)])

    def finish(self) -> None:
        """Appends what has gathered, and what is left for the end of an hour."""
        self._append(lambda: [*self._bounds.rest(), *self._undecided_facts(lambda kind: True)])

    def _append(self, more: Callable[[], list[Fact]]) -> None:
        with self._flushing:
            with self._guard:
                facts, self._pending = [*self._pending, *more()], []
                sightings, self._sightings = self._sightings, []
            try:
                facts.extend(self._outages.facts(sightings))  # what comes before an error is kept for later
                if facts:
                    self.trail.append(self.trail.stamp(ENGINE).events(facts))
            except NproxyError as error:
                _log.warning("events of rules were not written and will be tried again: %s", error)
                with self._guard:
                    self._pending = [*facts, *self._pending][:MAX_PENDING]

    def _take(self, facts: list[Fact]) -> None:
        room = MAX_PENDING - len(self._pending)
        self._pending.extend(facts[:room])
        if len(facts) > room:
            _log.error("events of rules were dropped: the audit trail cannot be written")

    def _undecided_facts(self, has_room: Callable[[str], bool]) -> Iterator[Fact]:
        """Yields an event per rule and reason, with the packages: on a poor mirror, a rule can tell of none of them."""
        for kind, rule, reason in list(self._undecided):
            name = "rule.failed" if kind == "failed" else "rule.undecided"
            if has_room(name):
                packages = self._undecided.pop((kind, rule, reason))
                yield name, {"rule": rule, "reason": reason, **packages.to_document()}


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
    """Returns the notes of *decision* that *before* did not have, but for those about an outage."""
    known = set(before.notes) if before else set()
    return [note for note in decision.notes if note not in known and not note.is_outage]


def _new_by_rule(found: Findings, known: Findings) -> dict[str, list[str]]:
    by_rule: dict[str, list[str]] = {}
    for version, findings in found.items():
        before = {finding.rule for finding in known.get(version, ())}
        for rule in {finding.rule for finding in findings} - before:
            by_rule.setdefault(rule, []).append(version)
    return by_rule
