"""Memory that was freed, and who has it then."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from nproxy_mw.cli.allocator import give_back_memory

MIB = 2**20
SCRIPT = """
import os, sys, threading
from pathlib import Path
from nproxy_mw.cli.allocator import give_back_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def work(together):
    for size in (30, 20, 20):
        together.wait()
        buffer = bytearray(b"x") * (size * 2**20)
        together.wait()
        del buffer
    together.wait()
    together.wait()

if sys.argv[1] == "given back":
    assert give_back_memory()
together = threading.Barrier(5)
threads = [threading.Thread(target=work, args=(together,)) for _ in range(4)]
before = resident()
for thread in threads:
    thread.start()
for _ in range(7):
    together.wait()
print(resident() - before)
together.wait()
for thread in threads:
    thread.join()
"""


def kept(how: str) -> int:
    """Bytes that a process still has after four threads made and dropped large buffers."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc")
def test_large_buffers_are_given_back() -> None:
    """What four threads freed, 80 MiB at a time, is the system's again; glibc by itself keeps most of it."""
    assert kept("given back") < 20 * MIB < kept("by itself")


def test_operators_decide() -> None:
    """Who has set a variable about it gets what it says."""
    assert not give_back_memory({"MALLOC_ARENA_MAX": "8"})
