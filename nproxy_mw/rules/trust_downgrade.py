"""trust_downgrade: versions that say less about who built them than earlier ones did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from nproxy_mw.npm.facts import NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict
from nproxy_mw.rules.wording import later

_WORDS = {
    NO_EVIDENCE: "no provenance",
    PROVENANCE: "provenance",
    TRUSTED_PUBLISHER: "a trusted publisher",
    STAGED: "an approved staged publish",
}


class TrustDowngrade:
    """Flags evidence below the best of the earlier stable versions of the same major version.

    A version older than ``ignoreAfterDays`` is not flagged. A package without any evidence is left alone.
    """

    id = "trust_downgrade"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict per downgraded version."""
        known = {release.evidence for release in history.releases}
        if known == {None}:
            yield CannotTell("the upstream does not pass on attestations")
        patience = timedelta(days=parameters["ignoreAfterDays"])
        if known <= {None, NO_EVIDENCE} or not patience:
            return
        best: dict[int | None, int] = {}
        for release in history.by_publication:
            evidence, before = release.evidence or NO_EVIDENCE, best.get(release.major, NO_EVIDENCE)
            if evidence < before and (release.published is None or release.published > knowledge.now - patience):
                until = later(release.published, patience) if release.published else None
                reason = f"it has {_WORDS[evidence]}, where earlier versions have {_WORDS[before]}"
                yield Verdict(release.version, reason, until)
            if release.is_stable:
                best[release.major] = max(before, evidence)
