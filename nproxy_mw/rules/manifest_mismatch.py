"""manifest_mismatch: versions whose tarball says something else than the packument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class ManifestMismatch:
    """Flags what was seen when a tarball was fetched: a ``package.json`` that differs from the packument's manifest."""

    id = "manifest_mismatch"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version whose tarball contradicts its manifest."""
        for version, reason in knowledge.mismatches.items():
            yield Verdict(version, reason)
