"""A stampede: many clients ask at once for one thing that is not cached. How often is the upstream asked?"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.corpus.files import Corpus, Packument, Tarball
from benchmarks.corpus.sizes import MIDDLE
from benchmarks.http.crowd import work_through
from benchmarks.measures.objects import is_packument, is_tarball, packument_request, tarball_request
from benchmarks.measures.port import Measure, Trial
from benchmarks.results import Reading
from benchmarks.servers.port import Ability
from benchmarks.system.accounting import CpuMeter

CLIENTS = 16

TARBALL = 1_500_000
"""Bytes of the tarball: large enough that all clients come before the first has it all, and soon over."""


def stampeded(corpus: Corpus) -> tuple[Packument, Tarball]:
    """Returns the two things that are asked for."""
    return corpus.packument_near(MIDDLE), corpus.tarball_near(TARBALL)


def _run(trial: Trial) -> Iterable[Reading]:
    packument, tarball = stampeded(trial.corpus)
    for case, path, request in (
        ("a packument", f"/{packument.name}", packument_request(packument, trial.server)),
        ("a tarball", tarball.path, tarball_request(tarball, trial.server)),
    ):
        trial.upstream.forget()
        meter = CpuMeter(trial.server.pid)
        work = work_through(trial.server.url, [request] * CLIENTS, CLIENTS)
        responses = [exchange.response for exchange in work.exchanges]
        good = sum(is_packument(one, packument) or is_tarball(one, tarball) for one in responses)
        values = {
            "fetches": float(trial.upstream.requests(path)),
            "wall_s": work.wall,
            "cpu_s": meter.seconds(),
            "bad": float(CLIENTS - good),
        }
        trial.remark_on(values["bad"], f"wrong answers in a stampede for {case}")
        yield Reading(case, ("fetches",), values)


STAMPEDE = Measure(
    "stampede",
    "stampede",
    f"{CLIENTS} clients ask at once for one thing that is not cached: how often the upstream is asked for it.",
    Ability.PROXY,
    _run,
    is_fresh=True,
)
