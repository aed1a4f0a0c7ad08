"""Ports of the loopback: which are free, and when somebody listens."""

from __future__ import annotations

import socket
import subprocess
import time

from benchmarks.errors import MeasureFailed

_PAUSE = 0.002  # seconds between two looks


def free_port() -> int:
    """Returns a port of the loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
