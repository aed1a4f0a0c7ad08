"""version_age: versions that are younger than a number of hours, but for urgent fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nproxy_mw.intelligence.port import VULNERABILITY, Alert
from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.port import CannotTell, Knowledge, Recheck, Verdict, Word
from nproxy_mw.rules.wording import counted, later

SUSPICIOUS = ("script_added", "exotic_dependency", "trust_downgrade")
"""Rules that take the exemption of an urgent fix away."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_TIMELESS = "the upstream does not say when it was published"


class VersionAge:
    """Flags versions younger than ``hours``; with 0 hours, nothing.

    With ``fixes``, a version is exempt that an advisory of high or critical severity names as its fix, when that
    advisory is older than the fix and affects what users would get without it: the highest stable version that is old
    enough and no malware. A version that one of `SUSPICIOUS` flags is never exempt.
    """

    id = "version_age"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Word]:
        """Yields a verdict per young version; ``unknown`` decides about versions without a time."""
        if not parameters["hours"]:
            return
        age = timedelta(hours=parameters["hours"])
        edge = knowledge.now - age
        young = [one for one in history.releases if one.published and one.published > edge]
        exempt = _urgent_fixes(history, young, knowledge) if parameters["fixes"] else frozenset()
        reason = f"it is younger than {counted(parameters['hours'], 'hour')}"
        for release in young:
            until = later(release.published, age) if release.published else None
            if release.version not in exempt:
                yield Verdict(release.version, reason, until)
            elif until is not None:
                yield Recheck(until)  # it is then the newest that is old enough, and others may lose their exemption
        yield from _timeless(history, blocks=parameters["unknown"] == "block")


def _timeless(history: History, *, blocks: bool) -> Iterator[Verdict | CannotTell]:
    timeless = [release.version for release in history.releases if release.published is None]
    if timeless:
        yield CannotTell("the upstream does not say when some versions were published")
    if blocks:
        yield from (Verdict(version, _TIMELESS) for version in timeless)


def _urgent_fixes(history: History, young: list[Release], knowledge: Knowledge) -> frozenset[str]:
    """Returns the versions of *young* that are exempt."""
    if not young or not knowledge.alerts:
        return frozenset()
    held = {release.version for release in young} | knowledge.flagged_by("malware")
    newest = next((one.version for one in reversed(history.by_number) if one.is_stable and one.version not in held), "")
    fixes: dict[str, datetime] = {}
    for alert in knowledge.alerts:
        if alert.version == newest and _is_urgent(alert) and alert.published:
            fixes |= {version: min(alert.published, fixes.get(version, alert.published)) for version in alert.fixed}
    named = frozenset(one.version for one in young if one.published and fixes.get(one.version, _NEVER) < one.published)
    return named.difference(*map(knowledge.flagged_by, SUSPICIOUS)) if named else named


def _is_urgent(alert: Alert) -> bool:
    return alert.kind == VULNERABILITY and alert.severity in ("high", "critical")
