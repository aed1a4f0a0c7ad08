"""What a measure is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus.files import Corpus
from benchmarks.load.port import Generator
from benchmarks.plan import Plan
from benchmarks.results import Reading
from benchmarks.servers.port import Ability, Running
from benchmarks.upstream.process import UpstreamProcess


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement of one server. *folder* is shared by all trials of a run; *remark* stores a sentence."""

    server: Running
    corpus: Corpus
    upstream: UpstreamProcess
    plan: Plan
    folder: Path
    generator: Generator
    remark: Callable[[str], object]

    def remark_on(self, count: float, what: str) -> None:
        """Stores a sentence about *count* things that went wrong, unless there are none."""
        if count:
            self.remark(f"{self.server.name}: {count:.0f} {what}.")


@dataclass(frozen=True, slots=True)
class Measure:
    """How to measure servers that have one of the abilities in *needs*.

    *run* raises `MeasureFailed` when there is no figure to be trusted. A *fresh* measure needs a server that has just
    been started with an empty store. A *costly* one takes many seconds, and a *long* one minutes: it has one round.
    *group* names its table and picture.
    """

    group: str
    name: str
    text: str
    needs: Ability
    run: Callable[[Trial], Iterable[Reading]]
    is_fresh: bool = False
    is_costly: bool = False
    is_long: bool = False
    is_quick: bool = True

    def rounds(self, plan: Plan) -> int:
        """Returns how often *plan* measures it."""
        if self.is_long:
            return 1
        return plan.costly_rounds if self.is_costly else plan.rounds

    def fits(self, server: Running) -> bool:
        """Returns whether *server* can be measured."""
        return bool(self.needs & server.abilities)
