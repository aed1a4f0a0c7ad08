"""What a load generator takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from benchmarks.http.messages import Request


@dataclass(frozen=True, slots=True)
class Load:
    """One request to the server at *url*, sent again and again over *connections*, for *seconds*."""

    url: str
    request: Request
    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load. *seconds* end with the last response that counts; *size* is bytes of all responses."""

    requests: int
    errors: int
    seconds: float
    size: int
    p50_ms: float
    p99_ms: float


class Generator(Protocol):
    """Something that sends a load."""

    @property
    def name(self) -> str:
        """What it is called in the report."""

    def drive(self, load: Load) -> Outcome:
        """Sends *load*, and returns what came of it.

        Raises:
            MeasureFailed: there was no response at all.
        """
