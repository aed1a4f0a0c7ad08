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

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from nproxy_mw.npm.facts import History


class Verdict(msgspec.Struct, frozen=True):
    """One rule's word on one version: flagged, and why.

    *reason* is one sentence without a full stop, written for the developer whose install met it. *until* is when the
    rule will no longer flag the version by itself, or None when only a change of facts or settings can end it. *mode*
    overrides the rule's configured mode when a rule knows better (``warn`` for a version that a blocking rule only
    notices); it can only weaken it.
    """

    version: str
    reason: str
    until: datetime | None = None
    mode: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What intelligence knows against one version.

    *kind* is ``malware`` or ``vulnerability``. *id* is the record's (``MAL-2026-1``, ``GHSA-...``). *severity* is
    ``low``, ``moderate``, ``high``, ``critical`` or None when nobody said. *fixed* are versions that the record names
    as fixes. *every_version* is true when the record condemns the package as a whole.
    """

    version: str
    kind: str
    id: str
    summary: str = ""
    severity: str | None = None
    fixed: tuple[str, ...] = ()
    published: datetime | None = None
    every_version: bool = False


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule may know beyond the packument, gathered before the rules run so that they stay pure.

    *now* is aware UTC. *alerts* are those of this package; None when intelligence cannot be asked just now. *score* is
    the package's, from 0 to 1, None when unknown. *withdrawn* are versions that the upstream took away
    after this registry held them. *held_dependencies* maps ``name`` to True when no version that satisfies what a
    release asks for is allowed here (see the rule ``held_dependency``). *revision* names the state of all of it: a
    decision made with the same revision is the same decision.
    """

    now: datetime
    alerts: tuple[Alert, ...] | None = ()
    score: float | None = None
    withdrawn: frozenset[str] = frozenset()
    held_dependencies: Mapping[str, Mapping[str, str]] = {}
    revision: str = ""


class Rule(Protocol):
    """One security rule. It reaches no clock, network or storage: everything it may know is handed to it."""

    @property
    def id(self) -> str:
        """The name under which settings, answers and the audit trail know the rule, such as ``version_age``."""
        ...

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterable[Verdict]:
        """Yields a verdict for each version that the rule flags. *parameters* are its settings without the mode."""
        ...
