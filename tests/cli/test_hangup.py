"""What SIGHUP does to a server in a terminal, besides what closing the terminal does."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.impatient import eventually

pytestmark = pytest.mark.e2e

# A process that leads a session gets the first terminal that it opens.
_IN_TERMINAL = """
import os, signal, sys
os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from nproxy_mw.cli import main
sys.exit(main(sys.argv[3:]))
"""


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


@contextmanager
def serving(folder, terminal, how="plainly"):
    """The server in a session of its own, when both of its workers are there."""
    command = [
        sys.executable,
        "-c",
        _IN_TERMINAL,
        terminal,
        how,
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--upstream",
        "none",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--storage", str(folder / "store"), "--workers", "2"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "PYTHONDEVMODE": ""},
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def has_workers(process):
    """Whether both workers serve, or are about to: each begins with ignoring SIGHUP."""
    return len(children(process.pid)) == 2 and all(map(ignores_hangup, children(process.pid)))


def ignores_hangup(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"SigIgn:\s+(\w+)", status)[1], 16) & 1)


@pytest.fixture
def terminal():
    """Both ends of a terminal: what a window holds, and the name that programs open."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    with suppress(OSError):
        os.close(master)


@pytest.mark.usefixtures("hangup_as_usual")
def test_hangup_reloads_while_the_terminal_is_open(tmp_path, terminal):
    """It was sent by hand: new workers take the place of the old ones."""
    with serving(tmp_path, terminal[1]) as process:
        assert eventually(lambda: has_workers(process))
        before = set(children(process.pid))
        process.send_signal(signal.SIGHUP)
        assert eventually(lambda: has_workers(process) and before.isdisjoint(children(process.pid)))


def test_hangup_under_nohup_does_nothing(tmp_path, terminal):
    """The server outlives its terminal, as whoever says nohup wants it."""
    master, name = terminal
    with serving(tmp_path, name, "nohup") as process:
        assert eventually(lambda: has_workers(process))
        before = children(process.pid)
        os.close(master)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTTIN)  # one more worker: this one is seen to be heard
        assert eventually(lambda: len(children(process.pid)) == 3)
        assert children(process.pid)[:2] == before
