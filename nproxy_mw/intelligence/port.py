"""The port to intelligence: what it is asked, and what it returns. Pure.

A source of one's own is a class with two members::

    class Incidents:
        revision = "2026-11-26"

        def alerts(self, name, releases):
            return tuple(Alert(version=r.version, kind="malware", id="INC-1") for r in releases if name in BAD)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.npm.facts import Release

MALWARE, VULNERABILITY = "malware", "vulnerability"

MALWARE_KINDS = (MALWARE, "typosquatting", "protestware", "troll")
"""Kinds of alerts that condemn a version whatever their severity. The shipped sources use the first."""


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known against one version.

    *kind* is ``vulnerability`` or one of `MALWARE_KINDS`. *id* is the record's (``MAL-2026-1``, ``GHSA-...``).
    *severity* is ``info``, ``low``, ``moderate``, ``high``, ``critical``, or None when nobody said. *fixed* are
    versions that the record names as fixes. *published* is when the record was published. *every_version* is true when
    the record condemns the whole package. *affected* is the range of affected versions in npm's words.
    """

    version: str
    kind: str
    id: str
    summary: str = ""
    severity: str | None = None
    fixed: tuple[str, ...] = ()
    published: datetime | None = None
    every_version: bool = False
    affected: str = "*"
    url: str = ""
    aliases: tuple[str, ...] = ()
    cwes: tuple[str, ...] = ()
    vector: str = ""  # CVSS
    score: float = 0.0  # CVSS base


class IntelligenceUnavailable(Exception):
    """Intelligence cannot be asked just now. Rules fail open then, and the audit trail says so.

    *known* are the alerts of those sources that could be asked.
    """

    def __init__(self, message: str, known: tuple[Alert, ...] = ()) -> None:
        super().__init__(message)
        self.known = known


class Intelligence(Protocol):
    """A source of alerts. Safe for threads."""

    @property
    def revision(self) -> str:
        """The state of the source, as a text that differs whenever an answer may have changed."""
        ...

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        """Returns the alerts against those of *releases* that the source knows something against.

        Raises:
            IntelligenceUnavailable: it cannot be asked just now.
        """
        ...


@runtime_checkable
class Distant(Protocol):
    """What a source of alerts offers in addition to `Intelligence` when a question goes over the network.

    Many packages are asked about at once then, and no more often than the one who wants to know is allowed.
    """

    def learn(self, names: Sequence[str], *, of_stranger: bool) -> None:
        """Asks about those of *names* of which no answer is kept, as far as it may and can. Raises nothing.

        *of_stranger* says that the one who wants to know is anonymous.
        """
        ...

    @property
    def kept(self) -> Intelligence:
        """The same source, which asks nobody and knows the kept answers only."""
        ...


@runtime_checkable
class Records(Protocol):
    """What a source of alerts offers in addition to `Intelligence` when its records can be looked up by their ids."""

    def by_id(self, record: str) -> list[Advisory]:
        """Returns what the record *record* says about each package. Raises `IntelligenceUnavailable`."""
        ...
