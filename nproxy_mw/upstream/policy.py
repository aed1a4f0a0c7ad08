"""What an organization wants judged: its rules, its exceptions, and what is known; as one value that changes whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct, field

from nproxy_mw.intelligence.port import Alert, Intelligence, IntelligenceUnavailable
from nproxy_mw.intelligence.score import score
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.engine import Configured, Covers
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.upstream.observations import NOTHING, Observation


def _no_exceptions(package: str) -> Covers:
    return lambda version, rule: None


class Policy(Struct, frozen=True):
    """*rules* with their modes; *covers* returns the exceptions of a package; *revision* names this state of both.

    If *intelligence* is None, nothing is known beyond the packument. *popular* are names that others are confused with.
    *own_git* are the URLs below which this registry serves git dependencies itself.
    """

    rules: Sequence[Configured]
    revision: str
    covers: Callable[[str], Covers] = _no_exceptions
    intelligence: Intelligence | None = None
    popular: frozenset[str] = field(default_factory=frozenset)
    own_git: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Names the state of the rules, the exceptions and the knowledge."""
        return f"{self.revision}/{self.intelligence.revision if self.intelligence else ''}"

    def mode_of(self, rule: str) -> str:
        """The mode of a rule; ``off`` for one that is not configured."""
        return next((one.mode for one in self.rules if one.rule.id == rule), "off")

    def knowledge(
        self, history: History, now: datetime, seen: Observation = NOTHING, held: tuple[Verdict, ...] = ()
    ) -> Knowledge:
        """Returns what the rules may know about a package.

        *seen* is what was observed of it, *held* are the verdicts on its held dependencies.
        """
        alerts, incomplete = self._alerts(history)
        wants_score = self.mode_of("score") != "off"
        return Knowledge(
            now=now,
            alerts=alerts,
            incomplete=incomplete,
            score=score(history, now, self.popular) if wants_score and history.releases else None,
            withdrawn=seen.withdrawn,
            mismatches=seen.mismatches,
            held_dependencies=held,
            own_git=self.own_git,
        )

    def _alerts(self, history: History) -> tuple[tuple[Alert, ...] | None, bool]:
        """What is known against a package, None for nothing that can be asked; and whether a source is missing."""
        if self.intelligence is None:
            return (), False
        try:
            return self.intelligence.alerts(history.name, history.releases), False
        except IntelligenceUnavailable as error:
            return error.known or None, True
