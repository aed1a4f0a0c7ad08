"""score: packages whose score is below a threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.intelligence.score import next_change
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import CannotTell, Knowledge, Recheck, Verdict, Word


class LowScore:
    """Flags every version of a package that scores below ``threshold``."""

    id = "score"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Word]:
        """Yields a verdict for all versions or for none, and when the passing of time may change the score."""
        if not history.releases:
            return
        if knowledge.score is None:
            yield CannotTell("the package has no score")
            return
        if knowledge.score < parameters["threshold"]:
            reason = f"the package scores {knowledge.score:.2f}, below {parameters['threshold']:g}"
            yield from (Verdict(release.version, reason) for release in history.releases)
        moment = next_change(history, knowledge.now)
        if moment is not None:
            yield Recheck(moment)
