"""unexpected_deps: a young version that depends on something the package never depended on before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict

NEWEST = 3
"""Versions that are looked at; all older ones are what they are compared with, the oldest one always."""


class UnexpectedDeps:
    """Flags those of the newest versions that have a name in ``dependencies`` which no older version has."""

    id = "unexpected_deps"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with a new dependency."""
        cut = max(len(history.releases) - NEWEST, 1)
        older, newest = history.by_publication[:cut], history.by_publication[cut:]
        known = set(chain.from_iterable(release.dependencies for release in older))
        for release in newest:
            names = [name for name in release.dependencies if name not in known]
            if names:
                yield Verdict(release.version, f"it depends on {', '.join(names)}, as no older version does")
