"""Which generator a run uses."""

from __future__ import annotations

from benchmarks.load.own import Own
from benchmarks.load.port import Generator
from benchmarks.load.wrk import Wrk

_PROCESSES = 2


def generator() -> Generator:
    """Returns wrk if it is installed, else the own client in two processes."""
    wrk = Wrk()
    return wrk if wrk.is_there else Own(_PROCESSES)
