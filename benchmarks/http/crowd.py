"""A crowd of clients that work through a list of requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.errors import MeasureFailed
from benchmarks.http.client import Client
from benchmarks.http.messages import Request, Response

LIMIT = 900.0
"""Seconds after which no more requests of a list are sent. Verdaccio needs 15 for 900 packuments of a real tree."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request's response, or None and the reason why there is none, and the seconds that it took."""

    response: Response | None
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What happened: the exchanges in the order of the requests, and the seconds from the first to the last byte."""

    exchanges: Sequence[Exchange]
    wall: float


def work_through(url: str, requests: Sequence[Request], connections: int) -> Work:
    """Sends all *requests* over that many connections; each takes the next request when it is free.

    A request that fails, or has no turn within `LIMIT`, becomes an exchange without a response; nothing is raised.
    """
    return asyncio.run(_work_through(url, requests, connections))


def ask(url: str, request: Request) -> Response:
    """Returns the response to one request.

    Raises:
        MeasureFailed: there was none.
    """
    (exchange,) = work_through(url, [request], 1).exchanges
    if exchange.response is None:
        raise MeasureFailed(f"{request.method} {request.target} was not answered: {exchange.error}.")
    return exchange.response


async def _work_through(url: str, requests: Sequence[Request], connections: int) -> Work:
    results: list[Exchange | None] = [None] * len(requests)
    todo = iter(enumerate(requests))
    started = time.perf_counter()
    workers = range(min(connections, len(requests)))
    await asyncio.gather(*(_work(Client(url), todo, results, started + LIMIT) for _ in workers))
    return Work([one for one in results if one is not None], time.perf_counter() - started)


async def _work(
    client: Client, todo: Iterator[tuple[int, Request]], results: list[Exchange | None], until: float
) -> None:
    for number, request in todo:
        is_late = time.perf_counter() >= until
        results[number] = Exchange(None, 0.0, "the time was over") if is_late else await _timed(client, request)
    client.close()


async def _timed(client: Client, request: Request) -> Exchange:
    started = time.perf_counter()
    try:
        response = await client.send(request)
    except (OSError, MeasureFailed) as error:
        return Exchange(None, time.perf_counter() - started, str(error) or type(error).__name__)
    return Exchange(response, time.perf_counter() - started)
