"""A run: all servers, all measures, in alternating rounds.

First come measures of fresh servers: in each round, each server is started with an empty store, measured and stopped.
Then all servers are started and stay; in each round, each measure goes from server to server. So what is compared is
measured within seconds, and a change of the machine's mood meets all servers alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.corpus.files import Corpus
from benchmarks.errors import BenchmarkError
from benchmarks.load.port import Generator
from benchmarks.measures.port import Measure, Trial
from benchmarks.plan import Clock, Plan
from benchmarks.results import Results, Sample
from benchmarks.servers.port import Running, Server
from benchmarks.upstream.process import UpstreamProcess


@dataclass(slots=True)
class Run:
    """Everything that a run needs. *folder* is empty at its start; *say* shows a line of progress."""

    plan: Plan
    corpus: Corpus
    upstream: UpstreamProcess
    generator: Generator
    folder: Path
    results: Results
    clock: Clock
    say: Callable[[str], None]
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def measure(self, servers: Sequence[Server], measures: Sequence[Measure]) -> None:
        """Measures all *servers*. What fails, or what the budget has no time for, becomes a remark."""
        self._measure_fresh(servers, [measure for measure in measures if measure.is_fresh])
        self._measure_standing(servers, [measure for measure in measures if not measure.is_fresh])

    def _measure_fresh(self, servers: Sequence[Server], measures: Sequence[Measure]) -> None:
        for number in range(self.plan.costly_rounds if measures else 0):
            for server in servers:
                with ExitStack() as stack:
                    running = self._start(stack, server)
                    for measure in measures:
                        self._try(measure, running, number)

    def _measure_standing(self, servers: Sequence[Server], measures: Sequence[Measure]) -> None:
        if not measures:
            return
        with ExitStack() as stack:
            standing = [self._start(stack, server) for server in servers]
            for number in range(self.plan.rounds):
                for measure in measures:
                    for running in standing if number < measure.rounds(self.plan) else []:
                        self._try(measure, running, number)

    def _start(self, stack: ExitStack, server: Server) -> Running | None:
        """Starts *server* for as long as *stack* is open; None if it does not start."""
        try:
            return stack.enter_context(server.running(self._new_folder(server.name), self.upstream.url))
        except BenchmarkError as error:
            self._remark(f"{server.name} did not start: {error}")
            return None

    def _new_folder(self, name: str) -> Path:
        """Returns a folder for a server. It stays until the run ends: there are file systems that take long to make a
        file when others have just been removed, and the next server would pay for that.
        """
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(parents=True)
        return folder

    def _try(self, measure: Measure, server: Running | None, number: int) -> None:
        if server is None or not measure.fits(server):
            return
        if self.clock.is_over():
            self._remark(f"The budget of {self.plan.budget:.0f} seconds was used up before all rounds were done.")
            return
        self.say(f"{self.clock.elapsed():6.0f} s  {measure.name}, round {number + 1}: {server.name}")
        try:
            for reading in measure.run(self._trial(server)):
                self.results.add(
                    Sample(reading.case, reading.headlines, reading.values, measure.group, server.name, number)
                )
        except BenchmarkError as error:
            self._remark(f"{server.name}, {measure.name}: {error}")

    def _trial(self, server: Running) -> Trial:
        return Trial(server, self.corpus, self.upstream, self.plan, self.folder, self.generator, self.results.remark)

    def _remark(self, sentence: str) -> None:
        if self.results.remark(sentence):
            self.say(sentence)
