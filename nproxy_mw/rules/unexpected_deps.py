"""unexpected_deps: a young version that depends on something the package never depended on before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.wording import listed

NEWEST = 3
"""Versions that are looked at; all older ones are what they are compared with, the oldest one always."""


class UnexpectedDeps:
    """Flags those of the newest versions that have a name in ``dependencies`` which no older version has."""

    id = "unexpected_deps"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with a new dependency."""
        cut = max(len(history.releases) - NEWEST, 1)
        known: set[str] = set().union(*(release.dependencies for release in history.by_publication[:cut]))
        for release in history.by_publication[cut:]:
            names = [name for name in release.dependencies if name not in known]
            if names:
                yield Verdict(release.version, f"it depends on {listed(names)}, which no older version does")
