"""Programs that the benchmarks start, and that end with them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.errors import CannotRun
from benchmarks.system.accounting import is_alive, tree

_FOREIGN = (
    "NPROXY_",
    "NPM_CONFIG_",
    "NODE_",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)
_GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_SETTLING = 0.5  # seconds for descendants, after the program itself has ended
_PAUSE = 0.002  # seconds between two looks


def environment(**more: str) -> dict[str, str]:
    """Returns this process's variables without those that would change what is measured, and with *more*."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    return {**kept, **more}


@contextmanager
def program(
    command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs *command* in *folder* until the block ends; its output goes to ``FOLDER/log``.

    Raises:
        CannotRun: the command cannot be started.
    """
    with (folder / "log").open("wb") as log:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=env or environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        except OSError as error:
            raise CannotRun(f"{command[0]} cannot be started: {error.strerror}.") from error
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that we started, and what it started: SIGTERM first, SIGKILL for what is left."""
    below = tree(process.pid)[1:] if process.poll() is None else []
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_GRACE)
    # Their pids are not used again this soon: Linux goes through all numbers first.
    for pid in _left_after(below, _SETTLING):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _left_after(below, _GRACE)


def finished(command: Sequence[str], folder: Path, seconds: float, env: Mapping[str, str] | None = None) -> str:
    """Runs *command* to its end, and returns its standard output.

    Raises:
        CannotRun: it could not be started, took longer than *seconds*, or failed.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env or environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise CannotRun(f"{' '.join(command[:3])} failed: {last_line(error.stderr)}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"{' '.join(command[:3])} did not run: {error}.") from error
    return done.stdout


def wait_for_exit(pid: int, seconds: float) -> bool:
    """Returns whether the child *pid* ended within *seconds*. It is not reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _left_after(pids: Sequence[int], seconds: float) -> list[int]:
    """Waits until none of *pids* is alive, at most *seconds*. Returns those that still are."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    return left


def last_line(text: str) -> str:
    """Returns the last line of what a program said."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing."
