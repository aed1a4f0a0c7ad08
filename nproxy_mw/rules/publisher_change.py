"""publisher_change: a young version by somebody who published none of the older ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict

FEWEST = 5
"""Versions that a package needs before its publishers can be compared."""


class PublisherChange:
    """Flags a version of the last fifth whose publisher is not among those of the first four fifths."""

    id = "publisher_change"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict per version of a new publisher. Versions that name no publisher are left out."""
        named = [release for release in history.by_publication if release.publisher]
        if len(named) < FEWEST:
            if len(history.releases) >= FEWEST:
                yield CannotTell("the upstream does not say who published enough of the versions")
            return
        cut = len(named) * 4 // 5
        known = {release.publisher for release in named[:cut]}
        for release in named[cut:]:
            if release.publisher not in known:
                yield Verdict(release.version, f"{release.publisher} published it, but none of the older versions")
