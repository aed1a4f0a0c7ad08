"""Many packages: what a read of one package of the server's own, and a search, cost among 10 and among 20,000."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import ask, work_through
from benchmarks.http.messages import Request
from benchmarks.measures.hot import driven
from benchmarks.measures.port import Measure, Trial
from benchmarks.measures.publications import Publication, is_accepted
from benchmarks.results import Reading
from benchmarks.servers.port import Ability, Running
from benchmarks.servers.template import SCOPE

PUBLISHERS = 8
_BATCH = 100


@dataclass(slots=True)
class Stock:
    """Packages of a server's own, each with one version. *mark* is in the names of all of them, and nowhere else."""

    server: Running
    mark: str = field(default_factory=lambda: f"many{time.time_ns()}")
    size: int = 0

    @property
    def first(self) -> Publication:
        """The package that is read."""
        return self._made(0)

    def grow(self, count: int) -> None:
        """Publishes *count* packages.

        Raises:
            MeasureFailed: one was refused.
        """
        requests = [self._made(self.size + number).request(self.server) for number in range(count)]
        exchanges = work_through(self.server.url, requests, PUBLISHERS).exchanges
        if not all(is_accepted(exchange.response) for exchange in exchanges):
            raise MeasureFailed("It refused a package of its own.")
        self.size += count

    def search(self) -> Request:
        """Returns the request of ``npm search`` for the mark."""
        return Request(f"/-/v1/search?text={self.mark}&size=20", {"accept": "application/json", **self._token})

    @property
    def _token(self) -> dict[str, str]:
        return dict(self.server.read_headers)

    def _made(self, number: int) -> Publication:
        return Publication(f"{SCOPE}/{self.mark}-{number}", "1.0.0")


def _run(trial: Trial) -> Iterable[Reading]:
    stock = Stock(trial.server)
    deadline = time.monotonic() + trial.plan.growth
    for wanted in trial.plan.many:
        while stock.size < wanted and time.monotonic() < deadline:
            stock.grow(min(_BATCH, wanted - stock.size))
        if stock.size < wanted:
            trial.remark(
                f"{trial.server.name}: it had {stock.size:,} of {wanted:,} packages when the time for growing was over."
            )
            return
        yield from _readings(trial, stock)


def _readings(trial: Trial, stock: Stock) -> Iterable[Reading]:
    yield _reading(f"own packument among {stock.size:,} packages", trial, stock.first.packument_request(trial.server))
    search = stock.search()
    found = json.loads(ask(trial.server.url, search).body)["objects"]
    if not found or not all(stock.mark in one["package"]["name"] for one in found):
        trial.remark(f"{trial.server.name}: npm search among {stock.size:,} packages found none, or others.")
        return
    yield _reading(f"search among {stock.size:,} packages", trial, search)


def _reading(case: str, trial: Trial, request: Request) -> Reading:
    return Reading(case, ("cpu_us",), driven(trial, request)[1])


MANY = Measure(
    "many",
    "many",
    "CPU of a read of an own packument, and of a search, among few and many packages of the server's own.",
    Ability.PUBLISH,
    _run,
    is_long=True,
)
