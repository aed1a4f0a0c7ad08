"""Bare servers: what gunicorn and granian cost by themselves, with as many processes and threads as ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.errors import CannotRun
from benchmarks.plan import THREADS, WORKERS
from benchmarks.servers.port import Ability, Running, Start, started
from benchmarks.system.ports import free_port
from benchmarks.system.processes import environment

_ROOT = Path(__file__).parents[2]
_APPLICATION = "benchmarks.servers.hello:application"
_OPTIONS = {
    "gunicorn": (
        "--worker-class=gthread",
        f"--workers={WORKERS}",
        f"--threads={THREADS}",
        "--keep-alive=30",
        "--log-level=warning",
        "--no-control-socket",
        "--bind=127.0.0.1:{port}",
    ),
    "granian": (
        "--interface=wsgi",
        f"--workers={WORKERS}",
        f"--blocking-threads={THREADS}",
        "--no-access-log",
        "--log-level=warning",
        "--host=127.0.0.1",
        "--port={port}",
    ),
}


@dataclass(frozen=True, slots=True)
class Bare:
    """One of the servers of `_OPTIONS`, with `benchmarks.servers.hello`."""

    server: str
    abilities: Ability = Ability.ECHO

    @property
    def name(self) -> str:
        """Its column in the table."""
        return f"bare-{self.server}"

    def prepare(self) -> str:
        """Returns the server and its version.

        Raises:
            CannotRun: it is not installed in this Python.
        """
        return f"{self.server} {package_version(self.server)}"

    def command(self, port: int) -> Sequence[str]:
        """Returns the command that serves on *port*."""
        options = [option.replace("{port}", str(port)) for option in _OPTIONS[self.server]]
        return [sys.executable, "-m", self.server, *options, _APPLICATION]

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Runs it; *upstream* is not asked for anything."""
        port = free_port()
        start = Start(self.command(port), port, path="/1", env=environment(PYTHONPATH=str(_ROOT)))
        with started(start, folder) as (url, pid, ready):
            yield Running(self.name, url, pid, ready, self.abilities)


def package_version(package: str) -> str:
    """Returns the version of a Python package.

    Raises:
        CannotRun: it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise CannotRun(f"{package} is not installed: pip install {package}.") from error
