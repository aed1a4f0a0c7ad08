"""score: packages whose score is below a threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import CannotTell, Knowledge, Verdict


class LowScore:
    """Flags every version of a package that scores below ``threshold``."""

    id = "score"

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterator[Verdict | CannotTell]:
        """Yields a verdict for all versions or for none."""
        if knowledge.score is None:
            yield CannotTell("the package has no score")
        elif knowledge.score < parameters["threshold"]:
            reason = f"the package scores {knowledge.score:.2f}, below {parameters['threshold']:g}"
            yield from (Verdict(release.version, reason) for release in history.releases)
