"""What the rules decided about a package, as a value that can be stored, shared and explained. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One rule's flag on one version. *until* is when it ends by itself, None when it does not."""

    rule: str
    reason: str
    until: datetime | None = None


class Note(msgspec.Struct, frozen=True):
    """What a rule could not do. *kind* is ``cannot-tell`` or ``failed``. *is_outage*: see `CannotTell`."""

    rule: str
    kind: str
    reason: str
    is_outage: bool = False


Findings = Mapping[str, tuple[Finding, ...]]
"""Findings by version."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every version of a package until *valid_until*, or until facts, settings or knowledge change.

    *blocked* versions are served nowhere. *warned* ones are served, and recorded, unless they are blocked too.
    *excepted* would have been blocked or warned of, were there no exception. *allowed* are all listed versions that are
    not blocked, lowest first. *tags* are the repaired dist-tags; *moved* maps each tag that changed to where it
    pointed. *by_number* says that versions were ordered by number, because their times are missing or a mirror's.
    """

    package: str
    allowed: tuple[str, ...] = ()
    blocked: dict[str, tuple[Finding, ...]] = {}
    warned: dict[str, tuple[Finding, ...]] = {}
    excepted: dict[str, tuple[Finding, ...]] = {}
    notes: tuple[Note, ...] = ()
    tags: dict[str, str] = {}
    moved: dict[str, str] = {}
    valid_until: datetime | None = None
    by_number: bool = False

    @property
    def blocks_everything(self) -> bool:
        """Whether versions are blocked, and none is left."""
        return bool(self.blocked) and not self.allowed

    def knows(self, version: str) -> bool:
        """Whether there is a word on *version*: it is listed, or a rule flags it although it is not."""
        return version in self.allowed or version in self.blocked or version in self.warned

    def available_from(self, version: str) -> datetime | None:
        """When the last flag of a blocked version ends by itself; None when it does not, or the version is allowed."""
        ends = [finding.until for finding in self.blocked.get(version, ())]
        times = [end for end in ends if end is not None]
        return max(times) if times and len(times) == len(ends) else None
