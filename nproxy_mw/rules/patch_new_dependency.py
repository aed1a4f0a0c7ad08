"""patch_new_dependency: patch releases that depend on something new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.wording import listed


class PatchNewDependency:
    """Flags a version x.y.z with z above 0 that has a dependency which no earlier version of any line had."""

    id = "patch_new_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per such version. The first version has no earlier one, and is not flagged."""
        known: set[str] = set()
        for place, release in enumerate(history.by_publication):
            if known.issuperset(release.dependencies):
                continue
            names = [name for name in release.dependencies if name not in known]
            if place and release.number and release.number.release[2] > 0:
                reason = f"it is a patch release and depends on {listed(names)}, which no earlier version does"
                yield Verdict(release.version, reason)
            known.update(names)
