"""removed_upstream: versions that the upstream took away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class RemovedUpstream:
    """Flags versions that the packument gives a time but no manifest, and those that disappeared while held here.

    Their tarballs may still lie in the cache: a registry removes what turned out to be malware.
    """

    id = "removed_upstream"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per removed version.

        One that is withdrawn stays so in a packument that still lists it: that one is older, and is served because the
        upstream does not answer.
        """
        for version in sorted(history.removed | knowledge.withdrawn):
            yield Verdict(version, "the upstream registry removed it")
