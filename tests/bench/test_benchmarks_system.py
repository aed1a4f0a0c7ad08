"""Processes: their CPU time, their memory, and that none is left."""

from __future__ import annotations

import os
import sys

import pytest

from benchmarks.errors import CannotRun, MeasureFailed
from benchmarks.system import accounting
from benchmarks.system.accounting import CpuMeter, cpu_seconds, is_alive, pss_mb, tree, wait_until_idle
from benchmarks.system.ports import free_port, is_listening, wait_for_port
from benchmarks.system.processes import environment, finished, program, wait_for_exit

BUSY = """\
import signal, time
while time.process_time() < 0.1:
    pass
print('done', flush=True)
signal.pause()
"""
PARENT = """\
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n'
    'print("ready", flush=True); time.sleep(60)'], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""


def python(code):
    return [sys.executable, "-c", code]


def first_line(folder, process):
    """What a program wrote to its log first; the test's timeout bounds the wait."""
    log = folder / "log"
    while "\n" not in log.read_text():
        assert process.poll() is None, log.read_text()
        wait_for_exit(process.pid, 0.01)
    return log.read_text().splitlines()[0]


def test_cpu_time_and_memory_are_those_of_the_process(tmp_path):
    """A process that has worked has used CPU time; one that ended has none left to be read."""
    with program(python(BUSY), tmp_path) as process:
        first_line(tmp_path, process)
        used = cpu_seconds(process.pid)
        meter = CpuMeter(process.pid)
        assert used >= 0.1
        assert 1 < pss_mb(process.pid) < 200
        assert 0 <= meter.seconds() < used
    assert (cpu_seconds(process.pid), pss_mb(process.pid)) == (0, 0)


@pytest.mark.parametrize(("used", "patience", "looks"), [([0.5, 0.3, 0.0, 0.4], 60, 3), ([0.5], 0, 0)])
def test_work_behind_the_answers_is_waited_for(monkeypatch, used, patience, looks):
    """As long as the processes use CPU time, and no longer than the caller has patience."""
    left = iter(used)
    monkeypatch.setattr(accounting, "_LOOK", 0.001)
    monkeypatch.setattr(CpuMeter, "seconds", lambda meter: next(left))
    wait_until_idle(os.getpid(), patience)
    assert len(list(left)) == len(used) - looks


def test_a_program_ends_with_all_that_it_started(tmp_path):
    """A grandchild that ignores SIGTERM is killed."""
    with program(python(PARENT), tmp_path) as process:
        grandchild = int(first_line(tmp_path, process))
        assert tree(process.pid) == [process.pid, grandchild]
    assert process.returncode is not None
    assert not is_alive(grandchild)


def test_a_program_that_is_not_there_is_a_sentence(tmp_path):
    """A missing program is no traceback."""
    with pytest.raises(CannotRun, match="no-such-program cannot be started"), program(["no-such-program"], tmp_path):
        pass


@pytest.mark.parametrize(
    ("code", "seconds", "message"),
    [("import sys; sys.exit('first\\nIt is broken.')", 30, "It is broken."), ("while True: pass", 0.3, "did not run")],
    ids=["fails", "takes too long"],
)
def test_a_command_that_fails_is_a_sentence(tmp_path, code, seconds, message):
    """Its last line says what is wrong."""
    with pytest.raises(CannotRun, match=message):
        finished(python(code), tmp_path, seconds)


def test_a_finished_command_returns_its_output(tmp_path):
    """Standard output alone."""
    assert finished(python("import sys; print('out'); print('err', file=sys.stderr)"), tmp_path, 30) == "out\n"


def test_foreign_variables_stay_out(monkeypatch):
    """Settings of this machine's npm and of nproxy-mw change nothing."""
    for name in ("NPROXY_STORAGE", "npm_config_registry", "NODE_OPTIONS"):
        monkeypatch.setenv(name, "x")
    found = environment(MORE="1")
    assert found["MORE"] == "1"
    assert not {"NPROXY_STORAGE", "npm_config_registry", "NODE_OPTIONS"} & found.keys()


def test_a_server_that_ends_is_not_waited_for(tmp_path):
    """The wait is over when the program is."""
    port = free_port()
    assert not is_listening("127.0.0.1", port)
    with (
        program(python("raise SystemExit(3)"), tmp_path) as process,
        pytest.raises(MeasureFailed, match="ended with 3"),
    ):
        wait_for_port(process, "127.0.0.1", port, 30)


def test_a_server_is_waited_for(tmp_path):
    """It is there once connections are accepted; a silent one fails."""
    port = free_port()
    code = f"import socket, signal; s = socket.create_server(('127.0.0.1', {port})); signal.pause()"
    with program(python(code), tmp_path) as process:
        wait_for_port(process, "127.0.0.1", port, 30)
        with pytest.raises(MeasureFailed, match="did not listen"):
            wait_for_port(process, "127.0.0.1", free_port(), 0.01)
