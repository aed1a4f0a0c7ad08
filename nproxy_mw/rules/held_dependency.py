"""held_dependency: versions whose new dependency is itself held, so that an install would fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class HeldDependency:
    """Flags a version with a new dependency that has no allowed version here. Installs resolve to the one before."""

    id = "held_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version that is held with its dependency."""
        yield from knowledge.held_dependencies
