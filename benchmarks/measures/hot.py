"""Hot reads: what is cached is asked for again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.corpus.files import Corpus
from benchmarks.corpus.sizes import BIG, BIG_TARBALL, MIDDLE, SMALL, SMALL_TARBALL
from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import ask, work_through
from benchmarks.http.messages import Request, Response
from benchmarks.load.own import Own
from benchmarks.load.port import Load, Outcome
from benchmarks.measures.objects import is_packument, is_tarball, packument_request, tarball_request
from benchmarks.measures.port import Measure, Trial
from benchmarks.results import Reading
from benchmarks.servers.port import Ability, Running
from benchmarks.system.accounting import CpuMeter

CONNECTIONS = 16
FEW = 2

SLOW = 0.025
"""Seconds for one answer from which on a server gets a few connections, and a client that lets each request end. wrk
would leave 16 half-done answers behind, and their CPU time would be counted for the few that were complete."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for: the packument or the tarball whose size in bytes is nearest to *size*."""

    name: str
    size: int
    form: str = "full"
    is_tarball: bool = False
    is_packed: bool = True
    is_conditional: bool = False
    is_quick: bool = True
    headlines: Sequence[str] = ("cpu_us",)


CASES = (
    Case("small packument, gzip", SMALL),
    Case("small packument, abbreviated, gzip", SMALL, form="abbreviated", is_quick=False),
    Case("4.5 MB packument, gzip", MIDDLE, is_quick=False),
    Case("10.5 MB packument, gzip", BIG),
    Case("10.5 MB packument, not compressed", BIG, is_packed=False, is_quick=False),
    Case("304 for the small packument", SMALL, is_conditional=True, is_quick=False),
    Case("304 for the 10.5 MB packument", BIG, is_conditional=True),
    Case("tarball of 10 kB", SMALL_TARBALL, is_tarball=True),
    Case("tarball of 44 MB", BIG_TARBALL, is_tarball=True, headlines=("cpu_us", "mb_s")),
)


def measures() -> list[Measure]:
    """Returns a measure for each case."""
    return [
        Measure(
            "hot",
            case.name,
            f"CPU per request and rate, {CONNECTIONS} connections: {case.name}.",
            Ability.PROXY | Ability.ECHO,
            partial(_run, case),
            is_quick=case.is_quick,
        )
        for case in CASES
    ]


def _run(case: Case, trial: Trial) -> Iterable[Reading]:
    server, request = trial.server, request_of(case, trial.corpus, trial.server)
    _check(case, trial.corpus, server, ask(server.url, request))
    if case.is_conditional:
        request = _conditional(server, request)
    outcome, values = driven(trial, request)
    throughput = {"mb_s": outcome.size / outcome.seconds / 1e6} if "mb_s" in case.headlines else {}
    yield Reading(case.name, case.headlines, {**values, **throughput})


def driven(trial: Trial, request: Request) -> tuple[Outcome, dict[str, float]]:
    """Sends *request* to the server again and again. Returns what came of it, and the values of `FIGURES`.

    Raises:
        MeasureFailed: a request failed.
    """
    server = trial.server
    pilot = work_through(server.url, [request], 1).wall
    load = Load(server.url, request, FEW if pilot > SLOW else CONNECTIONS, trial.plan.seconds)
    generator = Own() if pilot > SLOW else trial.generator
    meter = CpuMeter(server.pid)
    outcome = generator.drive(load)
    return outcome, _values(outcome, meter.seconds(), load)


def request_of(case: Case, corpus: Corpus, server: Running) -> Request:
    """Returns the request of *case*. A server that only echoes is asked for as many bytes."""
    if Ability.ECHO in server.abilities:
        return Request(f"/{_size(case, corpus)}", {"accept": "*/*"})
    if case.is_tarball:
        return tarball_request(corpus.tarball_near(case.size), server)
    return packument_request(corpus.packument_near(case.size), server, case.form, is_packed=case.is_packed)


def _size(case: Case, corpus: Corpus) -> int:
    if case.is_tarball:
        return corpus.tarball_near(case.size).size
    return corpus.packument_near(case.size).sizes[f"{case.form}.gz" if case.is_packed else case.form]


def _check(case: Case, corpus: Corpus, server: Running, response: Response) -> None:
    if Ability.ECHO in server.abilities:
        is_right = len(response.body) == _size(case, corpus)
    elif case.is_tarball:
        is_right = is_tarball(response, corpus.tarball_near(case.size))
    else:
        is_right = is_packument(response, corpus.packument_near(case.size))
    if not is_right:
        raise MeasureFailed(f"The answer is wrong: status {response.status}, {len(response.body)} bytes.")


def _conditional(server: Running, request: Request) -> Request:
    etag = ask(server.url, request).headers.get("etag")
    if etag is None:
        raise MeasureFailed("It sends no ETag, so there is no 304.")
    conditional = replace(request, headers={**request.headers, "if-none-match": etag})
    if ask(server.url, conditional).status != 304:
        raise MeasureFailed("It does not answer 304 to its own ETag.")
    return conditional


def _values(outcome: Outcome, cpu: float, load: Load) -> dict[str, float]:
    if outcome.errors:
        raise MeasureFailed(f"{outcome.errors} requests failed next to {outcome.requests} that did not.")
    return {
        "cpu_us": cpu * 1e6 / outcome.requests,
        "rate": outcome.requests / outcome.seconds,
        "p50_ms": outcome.p50_ms,
        "p99_ms": outcome.p99_ms,
        "connections": load.connections,
    }
