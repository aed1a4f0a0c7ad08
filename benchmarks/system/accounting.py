"""CPU time and memory of a process with everything below it, from Linux's clocks and ``/proc``."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LOOK = 0.5  # seconds
_CPU_CLOCK = 2  # CPUCLOCK_SCHED, of a whole process, in linux/posix-timers.h


def tree(pid: int) -> list[int]:
    """Returns *pid* and all its descendants that are alive."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _fields(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children[one]
    return [one for one in found if is_alive(one)]


def is_alive(pid: int) -> bool:
    """Returns whether *pid* runs; a process that has ended and waits for its parent does not."""
    fields = _fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def cpu_seconds(pid: int) -> float:
    """Returns the CPU seconds that *pid* and its living descendants have used.

    The clock of each process counts nanoseconds; ``/proc/PID/stat`` would count hundredths of a second.
    """
    return sum(_clock(one) for one in tree(pid))


def pss_mb(pid: int) -> float:
    """Returns the memory of *pid* and its descendants in MB; a page that several share counts in parts (PSS)."""
    return sum(kilobytes for one in tree(pid) for kilobytes in _pss(one)) / 1024


class CpuMeter:
    """Measures the CPU time of *pid* and its descendants from its construction on."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._before = cpu_seconds(pid)

    def seconds(self) -> float:
        """Returns the CPU seconds since the construction."""
        return cpu_seconds(self.pid) - self._before


def wait_until_idle(pid: int, patience: float) -> None:
    """Waits until *pid* and its descendants use less than a hundredth of a processor, at most *patience* seconds."""
    deadline, is_busy = time.monotonic() + patience, True
    while is_busy and time.monotonic() < deadline:
        meter = CpuMeter(pid)
        time.sleep(_LOOK)
        is_busy = meter.seconds() > _LOOK / 100


def _fields(pid: int) -> list[str]:
    """Returns the state, the parent and what follows in ``/proc/PID/stat``; nothing if there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return []
    # The name, in parentheses, can hold anything.
    return text.rpartition(")")[2].split()


def _clock(pid: int) -> float:
    try:
        return time.clock_gettime((~pid << 3) | _CPU_CLOCK)
    except OSError:  # it has just ended
        return 0.0


def _pss(pid: int) -> Iterator[int]:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return
    yield from (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
