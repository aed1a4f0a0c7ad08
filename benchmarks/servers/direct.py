"""No server between: npm and the crowd ask the upstream itself. What a registry adds is measured against this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers.port import Ability, Running


@dataclass(frozen=True, slots=True)
class Direct:
    """The upstream, which runs already. Its CPU time is the load's business, so it has no pid here."""

    name: str = "direct"
    abilities: Ability = Ability.UPSTREAM | Ability.INSTALL

    def prepare(self) -> str:
        """Returns what it is."""
        return "the replaying upstream"

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Yields the upstream."""
        yield Running(self.name, upstream, 0, 0.0, self.abilities)
