"""held_dependency: versions whose new dependency is itself held, so that an install would fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Recheck, Word

LOOK = timedelta(minutes=10)
"""How long a version is held before its dependency is looked at again."""


class HeldDependency:
    """Flags a version with a new dependency that has no allowed version here. Installs resolve to the one before.

    The dependency may get an allowed version at any time, so it is looked at again every `LOOK`.
    """

    id = "held_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Word]:
        """Yields a verdict per version that is held with its dependency."""
        yield from knowledge.held_dependencies
        if knowledge.held_dependencies:
            yield Recheck(knowledge.now + LOOK)
