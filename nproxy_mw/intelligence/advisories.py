"""An advisory: what one record of a vulnerability database says about one npm package, reduced to what is asked."""

from __future__ import annotations

from datetime import datetime

import msgspec

Events = tuple[tuple[str, str], ...]
"""A range as OSV writes it: events (``introduced``, ``fixed``, ``last_affected``, ``limit``), each with a version."""


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says about one package.

    *kind* and *severity* are those of `Alert`. *ranges* keep the record's order of events. *integrities* are tarballs
    that are condemned whatever their version, written as ``dist.integrity`` does.
    """

    package: str
    id: str
    kind: str
    summary: str = ""
    severity: str | None = None
    published: datetime | None = None
    versions: tuple[str, ...] = ()
    ranges: tuple[Events, ...] = ()
    integrities: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    cwes: tuple[str, ...] = ()
    vector: str = ""
    score: float = 0.0
    url: str = ""

    @property
    def every_version(self) -> bool:
        """Whether the record condemns the package as a whole: a range that begins at the beginning and has no end."""
        return any(("introduced", "0") in events and _EVERYTHING.issuperset(events) for events in self.ranges)

    @property
    def fixed(self) -> tuple[str, ...]:
        """The versions that the record names as fixes."""
        return tuple(dict.fromkeys(version for one in self.ranges for event, version in one if event == "fixed"))


_EVERYTHING = frozenset({("introduced", "0"), ("limit", "*")})
