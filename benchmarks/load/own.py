"""A generator in Python, for servers that are slow and for machines without wrk. It lets every request end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

from benchmarks.errors import MeasureFailed
from benchmarks.figures import percentile
from benchmarks.http.client import Client
from benchmarks.load.port import Load, Outcome


@dataclass(slots=True)
class Tally:
    """What one process counted; *latencies* in seconds."""

    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    size: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Own:
    """So many processes share the connections; one means this process."""

    processes: int = 1

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return "the own client"

    def drive(self, load: Load) -> Outcome:
        """Sends *load*; see `Generator`."""
        share = max(1, load.connections // self.processes)
        if self.processes == 1:
            return summary([hammer(load)])
        with ProcessPoolExecutor(self.processes, mp_context=get_context("spawn")) as pool:
            return summary(list(pool.map(hammer, [replace(load, connections=share)] * self.processes)))


def hammer(load: Load) -> Tally:
    """Sends *load* from this process, at least one request over each connection."""
    return asyncio.run(_hammer(load))


def summary(tallies: Sequence[Tally]) -> Outcome:
    """Returns the outcome of all processes together.

    Raises:
        MeasureFailed: no request succeeded.
    """
    latencies = [latency for tally in tallies for latency in tally.latencies]
    if not latencies:
        raise MeasureFailed("The server answered none of the requests.")
    return Outcome(
        requests=len(latencies),
        errors=sum(tally.errors for tally in tallies),
        seconds=max(tally.seconds for tally in tallies),
        size=sum(tally.size for tally in tallies),
        p50_ms=percentile(latencies, 50) * 1000,
        p99_ms=percentile(latencies, 99) * 1000,
    )


async def _hammer(load: Load) -> Tally:
    tally, started = Tally(), time.perf_counter()
    await asyncio.gather(*(_repeat(load, tally, started + load.seconds) for _ in range(load.connections)))
    tally.seconds = time.perf_counter() - started
    return tally


async def _repeat(load: Load, tally: Tally, until: float) -> None:
    client = Client(load.url, is_counting=True)
    request = client.encode(load.request)
    while await _once(client, request, tally) and time.perf_counter() < until:
        pass
    client.close()


async def _once(client: Client, request: bytes, tally: Tally) -> bool:
    """Sends one request. Returns whether it makes sense to go on."""
    started = time.perf_counter()
    try:
        response = await client.exchange(request)
    except (OSError, MeasureFailed):
        tally.errors += 1
        return False
    if response.status >= 400:
        tally.errors += 1
    else:
        tally.latencies.append(time.perf_counter() - started)
    tally.size += response.size
    return True
