"""A whole tree: all packuments, then all tarballs, as an installer asks for them; first cold, then warm."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from benchmarks.corpus.files import Packument, Tarball
from benchmarks.figures import percentile
from benchmarks.http.crowd import Exchange, work_through
from benchmarks.http.messages import Request
from benchmarks.measures.objects import is_packument, is_tarball, packument_request, tarball_request
from benchmarks.measures.port import Measure, Trial
from benchmarks.measures.stampede import stampeded
from benchmarks.results import Reading
from benchmarks.servers.port import Ability
from benchmarks.system.accounting import CpuMeter, wait_until_idle

CONNECTIONS = 15
"""As many as npm opens to one registry (its setting ``maxsockets``)."""

_PATIENCE = 30.0  # seconds


def warm(trial: Trial) -> None:
    """Asks for the whole tree once, so that the server has it, and waits until it has done what it does behind that."""
    packuments = [packument_request(one, trial.server, "install") for one in trial.corpus.packuments.values()]
    tarballs = [tarball_request(one, trial.server) for one in trial.corpus.tarballs.values()]
    work_through(trial.server.url, [*packuments, *tarballs], CONNECTIONS)
    if trial.server.pid:
        wait_until_idle(trial.server.pid, _PATIENCE)
    os.sync()  # else the disk is busy with it when the clock starts


def _run(trial: Trial) -> Iterable[Reading]:
    packuments, tarballs = _rest(trial)
    asked = [packument_request(one, trial.server, "install") for one in packuments]
    fetched = [tarball_request(one, trial.server) for one in tarballs]
    for state in ("cold", "warm"):
        exchanges, values = _fetch(trial, asked)
        values["bad"] = _count_bad_packuments(exchanges, packuments)
        yield _reading(trial, f"packuments, {state}", values)
        exchanges, values = _fetch(trial, fetched)
        values["bad"] = _count_bad_tarballs(exchanges, tarballs)
        yield _reading(trial, f"tarballs, {state}", values)


def _rest(trial: Trial) -> tuple[list[Packument], list[Tarball]]:
    """Returns what the stampede has not warmed."""
    packument, tarball = stampeded(trial.corpus)
    packuments = [one for one in trial.corpus.packuments.values() if one != packument]
    return packuments, [one for one in trial.corpus.tarballs.values() if one != tarball]


def _fetch(trial: Trial, requests: Sequence[Request]) -> tuple[Sequence[Exchange], dict[str, float]]:
    trial.upstream.forget()
    meter = CpuMeter(trial.server.pid) if trial.server.pid else None
    work = work_through(trial.server.url, requests, CONNECTIONS)
    seconds = [exchange.seconds for exchange in work.exchanges]
    values = {
        "wall_s": work.wall,
        **({"cpu_s": meter.seconds()} if meter else {}),
        "p50_ms": percentile(seconds, 50) * 1000,
        "p99_ms": percentile(seconds, 99) * 1000,
        "fetches": float(trial.upstream.requests()),
    }
    return work.exchanges, values


def _count_bad_packuments(exchanges: Sequence[Exchange], packuments: Sequence[Packument]) -> int:
    pairs = zip(exchanges, packuments, strict=True)
    return sum(not is_packument(exchange.response, one) for exchange, one in pairs)


def _count_bad_tarballs(exchanges: Sequence[Exchange], tarballs: Sequence[Tarball]) -> int:
    return sum(not is_tarball(exchange.response, one) for exchange, one in zip(exchanges, tarballs, strict=True))


def _reading(trial: Trial, case: str, values: dict[str, float]) -> Reading:
    trial.remark_on(values["bad"], f"wrong answers in a whole tree ({case})")
    return Reading(case, ("cpu_s", "wall_s"), values)


TREE = Measure(
    "tree",
    "tree",
    f"All packuments, then all tarballs, over {CONNECTIONS} connections; cold, then warm; each answer is checked.",
    Ability.PROXY | Ability.UPSTREAM,
    _run,
    is_fresh=True,
    is_costly=True,
)
