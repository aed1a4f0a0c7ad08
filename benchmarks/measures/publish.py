"""Publishing: eight publishers at once, each version that was accepted is looked up afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from benchmarks.errors import MeasureFailed
from benchmarks.figures import percentile
from benchmarks.http.crowd import work_through
from benchmarks.http.messages import Request, Response
from benchmarks.measures.port import Measure, Trial
from benchmarks.measures.publications import Publication, is_accepted
from benchmarks.results import Reading
from benchmarks.servers.port import Ability, Running
from benchmarks.servers.template import SCOPE
from benchmarks.system.accounting import CpuMeter

PUBLISHERS = 8


def _distinct(trial: Trial) -> Iterable[Reading]:
    mark = time.time_ns()
    made = [Publication(f"{SCOPE}/distinct-{mark}-{number}", "1.0.0") for number in range(trial.plan.publishes)]
    yield _measured("packages of their own", trial, made)


def _same(trial: Trial) -> Iterable[Reading]:
    name = f"{SCOPE}/same-{time.time_ns()}"
    # The package is there before the race for its versions begins.
    first = Publication(name, "0.0.1").request(trial.server)
    if not is_accepted(work_through(trial.server.url, [first], 1).exchanges[0].response):
        raise MeasureFailed("It did not accept the first version.")
    yield _measured(
        "one package", trial, [Publication(name, f"1.0.{number}") for number in range(trial.plan.publishes)]
    )


def _measured(case: str, trial: Trial, publications: Sequence[Publication]) -> Reading:
    requests = [publication.request(trial.server) for publication in publications]
    meter = CpuMeter(trial.server.pid)
    work = work_through(trial.server.url, requests, PUBLISHERS)
    cpu = meter.seconds()
    pairs = zip(publications, work.exchanges, strict=True)
    accepted = [publication for publication, exchange in pairs if is_accepted(exchange.response)]
    if not accepted:
        raise MeasureFailed("It accepted none of the publishes.")
    seconds = [exchange.seconds for exchange in work.exchanges]
    values = {
        "cpu_ms": cpu * 1000 / len(accepted),
        "rate": len(accepted) / work.wall,
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
        "refused": float(len(publications) - len(accepted)),
        "lost": float(_count_lost(trial.server, accepted)),
    }
    return _reading(case, trial, values)


def _reading(case: str, trial: Trial, values: dict[str, float]) -> Reading:
    for key, what in (("refused", "refused"), ("lost", "accepted and lost")):
        trial.remark_on(values[key], f"publishes into {case} were {what}")
    return Reading(case, ("cpu_ms", "rate"), values)


def _count_lost(server: Running, accepted: Sequence[Publication]) -> int:
    one_each = list({publication.name: publication for publication in accepted}.values())
    documents = _responses(server, [publication.packument_request(server) for publication in one_each])
    packuments = dict(zip([publication.name for publication in one_each], documents, strict=True))
    tarballs = _responses(server, [publication.tarball_request(server) for publication in accepted])
    pairs = zip(accepted, tarballs, strict=True)
    return sum(not publication.is_in(packuments[publication.name], tarball) for publication, tarball in pairs)


def _responses(server: Running, requests: Sequence[Request]) -> list[Response | None]:
    return [exchange.response for exchange in work_through(server.url, requests, PUBLISHERS).exchanges]


DISTINCT = Measure(
    "publish",
    "publish-distinct",
    f"{PUBLISHERS} publishers, each version in a package of its own; each accepted one is looked up.",
    Ability.PUBLISH,
    _distinct,
)
SAME = Measure(
    "publish",
    "publish-same",
    f"{PUBLISHERS} publishers, all versions in one package; each accepted one is looked up.",
    Ability.PUBLISH,
    _same,
)
