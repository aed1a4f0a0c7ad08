"""The packages of the upstream that an organization fetched, each with what the rules hold of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nproxy_mw.copies import replace
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.ledger.seen import SeenIndex
from nproxy_mw.ledger.seen_tables import SeenPackage, SeenPosition, SeenQuestion
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.times import from_unix, timestamp


@dataclass(frozen=True, slots=True)
class FetchedPackage:
    """One package. *newest* is the highest version that was fetched, *position* where it stands in the list.

    *decision* is what the rules make of the package; None when it is not decided yet, or nothing of the package is
    kept to decide by.
    """

    name: str
    newest: str
    position: SeenPosition
    decision: Decision | None

    @property
    def last(self) -> datetime:
        """When anything of it was fetched last."""
        return from_unix(self.position.last)

    @property
    def held(self) -> int | None:
        """How many versions of it the rules hold."""
        return len(self.decision.blocked) if self.decision else None

    @property
    def warned(self) -> int | None:
        """How many versions of it the rules warn of."""
        return len(self.decision.warned) if self.decision else None

    @property
    def is_newest_held(self) -> bool:
        """Whether the rules hold the version that was fetched."""
        return self.decision is not None and self.newest in self.decision.blocked

    def to_document(self) -> dict[str, Any]:
        """Returns the package as the management API shows it."""
        return {
            "name": self.name,
            "newestVersion": self.newest,
            "lastFetchedAt": timestamp(self.last),
            "held": self.held,
            "warned": self.warned,
            "isNewestHeld": self.is_newest_held,
        }


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A part of the list, and how many packages are in all of it.

    *next* is where the next page begins; None on the last one. *counted* is when the list was last brought up to date;
    None while it is made for the first time and lacks packages.
    """

    packages: Sequence[FetchedPackage]
    total: int
    next: SeenPosition | None
    counted: datetime | None


def fetched_page(
    index: SeenIndex, firewall: Firewall | None, internal_scopes: Collection[str], asked: SeenQuestion
) -> FetchedPage:
    """Returns the page that is asked for, without the packages in *internal_scopes*.

    Raises:
        StorageUnavailable: the index, or the ledger that it is made from, cannot be read.
    """
    found = index.page(replace(asked, size=asked.size + 1, scopes=internal_scopes))
    shown = found.packages[: asked.size]
    decisions = firewall.standing.of(one.name for one in shown) if firewall else {}
    packages = [_fetched(one, decisions) for one in shown]
    return FetchedPage(
        packages,
        found.total,
        packages[-1].position if len(found.packages) > asked.size else None,
        from_unix(found.counted) if found.counted is not None else None,
    )


def _fetched(one: SeenPackage, decisions: Mapping[str, Decision]) -> FetchedPackage:
    return FetchedPackage(one.name, one.newest, SeenPosition(one.name, one.last), decisions.get(one.name))
