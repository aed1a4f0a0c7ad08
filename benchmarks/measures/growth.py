"""Growth: what a publish costs when its package has 10, 1,000 or 5,000 versions already."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import work_through
from benchmarks.measures.port import Measure, Trial
from benchmarks.measures.publications import Publication, is_accepted
from benchmarks.results import Reading
from benchmarks.servers.port import Ability, Running
from benchmarks.servers.template import SCOPE
from benchmarks.system.accounting import CpuMeter

MEASURED = 20
"""Publishes that are measured at each size."""

_BATCH = 20


def _run(trial: Trial) -> Iterable[Reading]:
    versions = _versions(f"{SCOPE}/growing-{time.time_ns()}")
    deadline = time.monotonic() + trial.plan.growth
    there = 0
    for wanted in trial.plan.versions:
        while there < wanted and time.monotonic() < deadline:
            there += _publish(trial.server, versions, min(_BATCH, wanted - there))
        if there < wanted:
            trial.remark(
                f"{trial.server.name}: a package had {there} of {wanted} versions when the time for growing was over."
            )
            return
        meter = CpuMeter(trial.server.pid)
        there += _publish(trial.server, versions, MEASURED)
        yield Reading(f"into {wanted:,} versions", ("cpu_ms",), {"cpu_ms": meter.seconds() * 1000 / MEASURED})


def _versions(name: str) -> Iterator[Publication]:
    number = 0
    while True:
        yield Publication(name, f"1.0.{number}")
        number += 1


def _publish(server: Running, versions: Iterator[Publication], count: int) -> int:
    """Publishes *count* versions one after another. Returns their number."""
    requests = [next(versions).request(server) for _ in range(count)]
    work = work_through(server.url, requests, 1)
    if not all(is_accepted(exchange.response) for exchange in work.exchanges):
        raise MeasureFailed("It refused a publish of one publisher.")
    return count


GROWTH = Measure(
    "growth",
    "growth",
    "CPU of a publish into a package that has many versions already; one publisher.",
    Ability.PUBLISH,
    _run,
    is_long=True,
)
