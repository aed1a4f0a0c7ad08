"""What a security rule is: a value that looks at a package's history and says which versions it flags. Pure.

A host's own rule is a class with an *id* and a `check`::

    class NoPrereleases:
        id = "no_prereleases"

        def check(self, history, parameters, knowledge):
            for release in history.releases:
                if "-" in release.version:
                    yield Verdict(release.version, "prereleases are not used here")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import History


class Verdict(msgspec.Struct, frozen=True):
    """One rule's word on one version: flagged, and why.

    *reason* is a clause without a full stop, written for the developer whose install met it. *until* is when the
    rule will no longer flag the version by itself; None when only a change of facts or settings can end it.
    *only_warns* weakens a blocking rule for this version.
    """

    version: str
    reason: str
    until: datetime | None = None
    only_warns: bool = False


class CannotTell(msgspec.Struct, frozen=True):
    """A rule's word when the packument or the intelligence lacks what it needs: neither yes nor no, and why."""

    reason: str


def _no_flags(rule: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What a rule may know beyond the packument, gathered before the rules run so that they stay pure.

    *now* is aware UTC. *alerts* are those of this package; None when intelligence cannot be asked just now. *score* is
    the package's, from 0 to 1; None when unknown. *withdrawn* are versions that the upstream took away after this
    registry held them. *held_dependencies* are the verdicts on versions whose new dependency has no allowed
    version here. *mismatches* maps a version to what its tarball says otherwise than the packument. *flagged_by*
    returns the versions that another rule flags, whatever its mode. *revision* names the state of all of it: the same
    history judged with the same revision gives the same decision.
    """

    now: datetime
    alerts: tuple[Alert, ...] | None = ()
    score: float | None = None
    withdrawn: frozenset[str] = frozenset()
    held_dependencies: tuple[Verdict, ...] = ()
    mismatches: Mapping[str, str] = field(default_factory=dict)
    flagged_by: Callable[[str], frozenset[str]] = _no_flags
    revision: str = ""


class Rule(Protocol):
    """One security rule. It reaches no clock, network or storage: everything it may know is handed to it.

    A rule that raises is left out of the decision, and the audit trail says so. One with ``fails_closed = True`` flags
    every version then.
    """

    @property
    def id(self) -> str:
        """The name under which settings, responses and the audit trail know the rule, such as ``version_age``."""
        ...

    def check(
        self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge
    ) -> Iterable[Verdict | CannotTell]:
        """Yields a verdict for each version that the rule flags. *parameters* are its settings without the mode."""
        ...
