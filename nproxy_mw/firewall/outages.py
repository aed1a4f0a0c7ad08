"""Outages of intelligence in the audit trail: one event when one begins, and one when it ends.

While a source of intelligence is away, each new decision says that a rule could not tell. The process that is the
first to note this in the organization's storage records it. The first decision without such a note ends the outage,
after a pause: a source that comes and goes is one outage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from nproxy_mw.audit.events import Fact
from nproxy_mw.firewall.event_bounds import Rest
from nproxy_mw.json_values import Json
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import KNOWLEDGE
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, parse_time, timestamp, utc_now

QUIET = 60.0
"""Seconds of decisions without an outage before it counts as over."""

SAID_AGAIN = 600.0
"""Seconds after which a process notes once more that an outage goes on."""

FORGOTTEN = timedelta(minutes=30)
"""How long after the last note an outage counts as a new one, although the end of the last was not recorded."""


class Sighting(NamedTuple):
    """What a new decision about *package* says of outages.

    *away* has the reason of each rule that cannot tell; *was_away* are those that could not at the decision before.
    """

    package: str
    away: Mapping[str, str]
    was_away: AbstractSet[str]


def sighting_of(decision: Decision, before: Decision | None) -> Sighting:
    """Returns what a new decision says of outages, given the one before it about the same package."""
    away = {note.rule: note.reason for note in decision.notes if note.is_outage}
    was_away = {note.rule for note in before.notes if note.is_outage} if before is not None else set()
    return Sighting(decision.package, away, was_away)


class Outages:
    """The outages of one organization, whose own *storage* it is. Not safe for threads. *monotonic* counts seconds."""

    def __init__(
        self, storage: Storage, *, clock: Clock = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.storage = storage
        self.clock = clock
        self.monotonic = monotonic
        self._met: dict[str, tuple[str, Rest]] = {}  # what this process met and has not noted: reason and packages
        self._noted: dict[str, float] = {}  # when it noted an outage last
        self._over: dict[str, float] = {}  # when it met the first decision after an outage

    @property
    def is_open(self) -> bool:
        """Whether this process knows of an outage whose end is not recorded."""
        return bool(self._met or self._noted)

    def _saw(self, sighting: Sighting) -> None:
        for rule, reason in sighting.away.items():
            self._over.pop(rule, None)
            if self.monotonic() - self._noted.get(rule, -SAID_AGAIN) >= SAID_AGAIN:
                self._met.setdefault(rule, (reason, Rest()))[1].take(sighting.package)
        for rule in (self._noted.keys() | sighting.was_away) - sighting.away.keys():
            self._over.setdefault(rule, self.monotonic())

    def facts(self, sightings: Iterable[Sighting]) -> Iterator[Fact]:
        """Takes in what decisions say of outages, and yields what is to be recorded now.

        Raises as `documents.change`; what was not yielded then is yielded later.
        """
        for sighting in sightings:
            self._saw(sighting)
        for rule, (reason, packages) in list(self._met.items()):
            if self._begins(rule):
                yield "rule.undecided", {"rule": rule, "reason": reason, **packages.to_document()}
            self._noted[rule] = self.monotonic()
            del self._met[rule]
        for rule in [rule for rule, at in self._over.items() if self.monotonic() - at >= QUIET]:
            since = self._ends(rule)
            if since:
                yield "rule.recovered", {"rule": rule, "reason": "it can tell again", "since": since}
            self._noted.pop(rule, None)
            del self._over[rule]

    def _begins(self, rule: str) -> bool:
        """Notes that *rule* cannot tell. Returns whether nobody has noted it before."""
        now = self.clock()
        made = documents.change(self.storage, KNOWLEDGE.key(), partial(_with_outage, rule=rule, now=timestamp(now)))
        known = _away(made.before).get(rule)
        return known is None or now - parse_time(known["seen"]) > FORGOTTEN

    def _ends(self, rule: str) -> str:
        """Notes that *rule* can tell again. Returns since when it could not; empty when that was noted before."""
        made = documents.change(self.storage, KNOWLEDGE.key(), partial(_without_outage, rule=rule))
        return str(_away(made.before).get(rule, {}).get("since", ""))


def _away(noted: Json | None) -> Json:
    """Returns the outages in what is noted: since when each rule cannot tell, and when that was seen last."""
    away: Json = (noted or {}).get("away", {})
    return away


def _with_outage(noted: Json | None, *, rule: str, now: str) -> Json:
    since = _away(noted).get(rule, {}).get("since", now)
    return {"built": "", **(noted or {}), "away": {**_away(noted), rule: {"since": since, "seen": now}}}


def _without_outage(noted: Json | None, *, rule: str) -> Json | None:
    away = _away(noted)
    return {**(noted or {}), "away": {key: away[key] for key in away.keys() - {rule}}} if rule in away else None
