"""What the benchmarks need of a server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import Flag, auto
from pathlib import Path
from typing import Protocol

from benchmarks.errors import MeasureFailed
from benchmarks.http.crowd import ask
from benchmarks.http.messages import Request
from benchmarks.system.ports import wait_for_port
from benchmarks.system.processes import last_line, program

_PATIENCE = 60.0  # seconds for a start


class Ability(Flag):
    """What a server can be measured at."""

    PROXY = auto()
    """It serves the upstream's packages."""
    INSTALL = auto()
    """npm can install through it: packuments name its own tarballs."""
    PUBLISH = auto()
    """It takes packages of its own."""
    ECHO = auto()
    """It replies to ``/N`` with N bytes, and does nothing else."""
    UPSTREAM = auto()
    """It is the upstream itself."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs. *ready* is the seconds from its start to its first answer."""

    name: str
    url: str
    pid: int
    ready: float
    abilities: Ability
    read_token: str = ""
    write_token: str = ""

    @property
    def read_headers(self) -> Mapping[str, str]:
        """The headers that reads need."""
        return _bearer(self.read_token)

    @property
    def write_headers(self) -> Mapping[str, str]:
        """The headers that publishes need."""
        return _bearer(self.write_token)


class Server(Protocol):
    """A server that can be started any number of times, each time with nothing stored."""

    @property
    def name(self) -> str:
        """Its column in the table."""

    @property
    def abilities(self) -> Ability:
        """What it can be measured at."""

    def prepare(self) -> str:
        """Installs what is missing, and returns the name and version of what runs.

        Raises:
            CannotRun: it cannot run on this machine; the message says why.
        """

    def running(self, folder: Path, upstream: str) -> AbstractContextManager[Running]:
        """Runs it in the new *folder*, before *upstream*, until the block ends.

        Raises:
            BenchmarkError: it does not start.
        """


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a server that listens on *port*, and how to recognize that it is ready: *path* gets an answer."""

    command: Sequence[str]
    port: int
    path: str = "/-/ping"
    env: Mapping[str, str] | None = None
    prefix: str = ""


@contextmanager
def started(start: Start, folder: Path) -> Iterator[tuple[str, int, float]]:
    """Runs a server until the block ends; its URL, its pid, and the seconds until its first answer.

    Raises:
        MeasureFailed: it does not listen, or it does not answer.
    """
    began = time.perf_counter()
    with program(start.command, folder, start.env) as process:
        try:
            wait_for_port(process, "127.0.0.1", start.port, _PATIENCE)
        except MeasureFailed as error:
            said = last_line((folder / "log").read_text(errors="replace"))
            raise MeasureFailed(f"{error} Its log ends: {said}") from error
        url = f"http://127.0.0.1:{start.port}{start.prefix}"
        ask(url, Request(start.path))
        yield url, process.pid, time.perf_counter() - began


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}
