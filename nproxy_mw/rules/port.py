"""What a security rule is: a value that looks at a package's history and says which versions it flags. Pure.

A host's own rule is a class with an *id* and a `check`::

    class NoPrereleases:
        id = "no_prereleases"

        def check(self, history, parameters, knowledge):
            for release in history.releases:
                if not release.is_stable:
                    yield Verdict(release.version, "prereleases are not used here")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import msgspec
from msgspec import Struct, field

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import History


class Verdict(msgspec.Struct, frozen=True, gc=False):
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
    """A rule's word when the packument or the intelligence lacks what it needs: neither yes nor no, and why.

    *is_outage* says that the reason has nothing to do with the package, and ends when a source is back.
    """

    reason: str
    is_outage: bool = False


class Recheck(msgspec.Struct, frozen=True):
    """A rule's word that what it says may change at a moment, without a verdict that ends then."""

    at: datetime


Word: TypeAlias = Verdict | CannotTell | Recheck


def _no_flags(rule: str) -> frozenset[str]:
    return frozenset()


class Knowledge(Struct, frozen=True, kw_only=True):
    """What a rule may know beyond the packument, gathered before the rules run so that they stay pure.

    *now* is aware UTC. *alerts* are those of this package; None when intelligence cannot be asked just now. With
    *incomplete*, one of several sources could not be asked, and *alerts* are those of the others. *score* is the
    package's, from 0 to 1; None when unknown. *withdrawn* are versions that the upstream took away after this registry
    held them. *held_dependencies* are the verdicts on versions whose new dependency has no allowed version here.
    *mismatches* maps a version to what its tarball says otherwise than the packument. *own_git* are the URLs below
    which this registry serves git dependencies itself, such as ``https://npm.example/-/git/``. *flagged_by* returns the
    versions that another rule flags, whatever its mode.
    """

    now: datetime
    alerts: tuple[Alert, ...] | None = ()
    incomplete: bool = False
    score: float | None = None
    withdrawn: frozenset[str] = frozenset()
    held_dependencies: tuple[Verdict, ...] = ()
    mismatches: Mapping[str, str] = field(default_factory=dict)
    own_git: tuple[str, ...] = ()
    flagged_by: Callable[[str], frozenset[str]] = _no_flags


class Rule(Protocol):
    """One security rule. It reaches no clock, network or storage: everything it may know is handed to it.

    When a rule raises, what it flagged before stands, and the audit trail says that it failed. One with ``fails_closed
    = True`` flags every version then.
    """

    @property
    def id(self) -> str:
        """The name under which settings, responses and the audit trail know the rule, such as ``version_age``."""
        ...

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterable[Word]:
        """Yields a verdict for each version that the rule flags. *parameters* are its settings without the mode."""
        ...
