"""trust_downgrade: versions that say less about who built them than earlier ones did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from nproxy_mw.npm.facts import NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict

_WORDS = {
    NO_EVIDENCE: "no provenance",
    PROVENANCE: "provenance",
    TRUSTED_PUBLISHER: "a trusted publisher",
    STAGED: "an approved staged publish",
}


class TrustDowngrade:
    """Flags evidence below the best of the earlier stable versions of the same major version.

    A version older than ``ignoreAfterDays`` is not flagged any more. A package without any evidence is left alone.
    """

    id = "trust_downgrade"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict per downgraded version."""
        if history.releases and all(release.evidence is None for release in history.releases):
            yield CannotTell("the upstream does not pass on attestations")
            return
        patience = timedelta(days=parameters["ignoreAfterDays"])
        best: dict[int | None, int] = {}
        for release in history.by_publication:
            evidence, before = release.evidence or NO_EVIDENCE, best.get(release.major, NO_EVIDENCE)
            until = release.published + patience if release.published else None
            if evidence < before and (until is None or until > knowledge.now):
                reason = f"it has {_WORDS[evidence]}, where earlier versions have {_WORDS[before]}"
                yield Verdict(release.version, reason, until)
            if release.is_stable:
                best[release.major] = max(before, evidence)
