"""The upstream as a process of its own, so that its CPU time is nobody else's, and its counters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus.files import Corpus
from benchmarks.errors import CannotRun
from benchmarks.http.crowd import ask
from benchmarks.http.messages import Request
from benchmarks.system.ports import is_listening, wait_for_port
from benchmarks.system.processes import environment, program
from benchmarks.upstream.server import REQUESTS

ROOT = Path(__file__).parents[2]
_PATIENCE = 20.0  # seconds until it listens


@dataclass(frozen=True, slots=True)
class UpstreamProcess:
    """A running upstream."""

    url: str
    pid: int

    def forget(self) -> None:
        """Sets all counters to zero."""
        ask(self.url, Request(REQUESTS, method="DELETE"))

    def requests(self, path: str | None = None) -> int:
        """Returns the number of requests for *path*, percent-decoded, or for everything, since `forget`."""
        counts: dict[str, int] = json.loads(ask(self.url, Request(REQUESTS)).body)
        return sum(counts.values()) if path is None else counts.get(path, 0)


@contextmanager
def running(corpus: Corpus, folder: Path, options: Sequence[str] = ()) -> Iterator[UpstreamProcess]:
    """Serves *corpus* at its own origin until the block ends. *options* are those of ``python -m benchmarks upstream``.

    Raises:
        CannotRun: another run is using that origin.
        MeasureFailed: it does not start.
    """
    if is_listening(*corpus.address):
        raise CannotRun(f"Something listens on {corpus.origin}: let the other benchmark end first.")
    command = [sys.executable, "-m", "benchmarks", "upstream", str(corpus.folder.resolve()), *options]
    folder.mkdir(parents=True, exist_ok=True)
    with program(command, folder, environment(PYTHONPATH=str(ROOT))) as process:
        wait_for_port(process, *corpus.address, _PATIENCE)
        yield UpstreamProcess(corpus.origin, process.pid)
