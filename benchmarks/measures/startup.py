"""Start-up: the time until the first answer, and the memory of a server that has done nothing yet."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.measures.port import Measure, Trial
from benchmarks.results import Reading
from benchmarks.servers.port import Ability
from benchmarks.system.accounting import pss_mb

_SERVERS = Ability.PROXY | Ability.ECHO


def _start(trial: Trial) -> Iterable[Reading]:
    values = {"ready_ms": trial.server.ready * 1000, "pss_mb": pss_mb(trial.server.pid)}
    yield Reading("start", ("ready_ms", "pss_mb"), values)


def _after(trial: Trial) -> Iterable[Reading]:
    yield Reading("after all other measures", ("pss_mb",), {"pss_mb": pss_mb(trial.server.pid)})


START = Measure(
    "start",
    "start",
    "The time from starting the program to its first answer, and its memory then.",
    _SERVERS,
    _start,
    is_fresh=True,
)
MEMORY = Measure("memory", "memory", "The memory of all processes after all other measures.", _SERVERS, _after)
