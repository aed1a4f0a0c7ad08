"""version_age: versions that are younger than a number of hours, but for urgent fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict

SUSPICIOUS = ("script_added", "exotic_dependency", "trust_downgrade")
"""Rules that take the exemption of an urgent fix away."""


class VersionAge:
    """Flags versions younger than ``hours``.

    With ``fixes``, a version is exempt that an advisory of high or critical severity names as its fix, when that
    advisory affects the newest version that is old enough, is older than the fix, and none of `SUSPICIOUS` flags it.
    """

    id = "version_age"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict per young version; ``unknown`` decides about versions without a time."""
        age = timedelta(hours=parameters["hours"])
        young = [one for one in history.releases if one.published and one.published > knowledge.now - age]
        exempt = _urgent_fixes(history, young, knowledge) if parameters["fixes"] and young else frozenset()
        for release in young:
            if release.version not in exempt and release.published:
                reason = f"it is younger than {parameters['hours']} hours"
                yield Verdict(release.version, reason, release.published + age)
        timeless = [release.version for release in history.releases if release.published is None]
        if timeless and parameters["unknown"] == "allow":
            yield CannotTell("the upstream does not say when some versions were published")
        elif timeless:
            yield from (Verdict(version, "the upstream does not say when it was published") for version in timeless)


def _urgent_fixes(history: History, young: list[Release], knowledge: Knowledge) -> frozenset[str]:
    held = {release.version for release in young}
    mature = [release.version for release in history.by_number if release.is_stable and release.version not in held]
    fixes: dict[str, list[datetime]] = {}
    for alert in knowledge.alerts or ():
        is_urgent = alert.kind == "vulnerability" and alert.severity in ("high", "critical")
        if is_urgent and alert.published and mature and alert.version == mature[-1]:
            for version in alert.fixed:
                fixes.setdefault(version, []).append(alert.published)
    named = {
        one.version
        for one in young
        if one.published and any(time < one.published for time in fixes.get(one.version, ()))
    }
    return frozenset(named).difference(*map(knowledge.flagged_by, SUSPICIOUS)) if named else frozenset()
