"""Ports of the loopback: which are free, and when somebody listens."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from contextlib import suppress

from benchmarks.errors import MeasureFailed

# Below those that the system gives to whoever asks for any, which would be taken before the server begins.
_PORTS = range(10_000, 32_000)

_PAUSE = 0.002  # seconds between two looks


def free_port() -> int:
    """Returns a port of the loopback on which nothing listens now."""
    choice = random.SystemRandom()  # the other one may be seeded alike in several processes
    while True:
        port = choice.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_listening(host: str, port: int) -> bool:
    """Returns whether connections to *port* are accepted."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def wait_for_port(process: subprocess.Popen[bytes], host: str, port: int, seconds: float) -> None:
    """Returns once connections to *port* are accepted.

    Raises:
        MeasureFailed: *process* ended first, or took longer than *seconds*.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise MeasureFailed(f"The program ended with {process.returncode} before it listened.")
        if is_listening(host, port):
            return
        time.sleep(_PAUSE)
    raise MeasureFailed(f"The program did not listen on port {port} within {seconds:.0f} seconds.")
