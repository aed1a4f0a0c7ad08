"""Replay: which decisions would differ under other rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from nproxy_mw.copies import replace
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.versions import sort_key
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.port import Knowledge

HELD, WARNED, ALLOWED = "held", "warned", "allowed"


class Change(Struct, frozen=True):
    """A version whose verdict differs. *before* and *after* are ``held``, ``warned`` or ``allowed``.

    *rules* are those that flag it on the stricter side, with their reasons. *at* is the moment whose facts were judged;
    None for those of now.
    """

    package: str
    version: str
    before: str
    after: str
    rules: Mapping[str, str]
    at: datetime | None = None


def history_at(history: History, moment: datetime, version: str) -> History:
    """Returns what *history* was at *moment*, as far as it says: without the versions that were published later.

    *version* was there, whatever its time says.
    """
    releases = tuple(
        one for one in history.releases if one.version == version or one.published is None or one.published <= moment
    )
    there = {one.version for one in releases}
    return replace(history, releases=releases, tags={tag: one for tag, one in history.tags.items() if one in there})


def knowledge_at(knowledge: Knowledge, moment: datetime) -> Knowledge:
    """Returns *knowledge* without the advisories that were published after *moment*. Nothing else has a date."""
    alerts = knowledge.alerts
    if alerts is not None:
        alerts = tuple(alert for alert in alerts if alert.published is None or alert.published <= moment)
    return replace(knowledge, now=moment, alerts=alerts)


def changes(before: Decision, after: Decision) -> Iterator[Change]:
    """Yields every version on which the two decisions about one history differ, lowest first."""
    for version in sorted({*before.blocked, *before.warned, *after.blocked, *after.warned}, key=sort_key):
        old, new = _verdict(before, version), _verdict(after, version)
        if old != new:
            stricter = before if _RANK[old] > _RANK[new] else after
            found = stricter.blocked.get(version) or stricter.warned.get(version) or ()
            yield Change(before.package, version, old, new, {finding.rule: finding.reason for finding in found})


_RANK = {ALLOWED: 0, WARNED: 1, HELD: 2}


def _verdict(decision: Decision, version: str) -> str:
    if version in decision.blocked:
        return HELD
    return WARNED if version in decision.warned else ALLOWED
