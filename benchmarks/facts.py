"""What a reader must know of the machine and the moment to judge the figures."""

from __future__ import annotations

import os
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.corpus.files import Corpus
from benchmarks.errors import CannotRun
from benchmarks.load.port import Generator
from benchmarks.system.processes import finished

_ROOT = Path(__file__).parents[1]


def facts(corpus: Corpus, generator: Generator) -> dict[str, str]:
    """Returns them by title, as sentences or names."""
    return {
        "Date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "Commit": _commit(),
        "Machine": f"{_processor()}, {os.cpu_count()} CPUs, {_memory()}, {platform.system()} {platform.release()}",
        "Load average before": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "Python": platform.python_version(),
        "npm": _npm(),
        "Load": f"{generator.name}; the own client for answers slower than 25 ms",
        "Corpus": describe(corpus),
    }


def describe(corpus: Corpus) -> str:
    """Returns how large a corpus is."""
    full = sum(one.sizes["full"] for one in corpus.packuments.values()) / 1e6
    packed = sum(one.sizes["full.gz"] for one in corpus.packuments.values()) / 1e6
    tarballs = sum(one.size for one in corpus.tarballs.values()) / 1e6
    return (
        f"{len(corpus.packuments)} packuments ({full:.0f} MB, gzipped {packed:.1f} MB), "
        f"{len(corpus.tarballs)} tarballs ({tarballs:.0f} MB)"
    )


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    try:
        return finished([git, "-C", str(_ROOT), "describe", "--always", "--dirty"], Path.cwd(), 60).strip()
    except CannotRun:
        return "unknown"


def _npm() -> str:
    npm = shutil.which("npm")
    return finished([npm, "--version"], Path.cwd(), 60).strip() if npm else "none"


def _processor() -> str:
    return _field(Path("/proc/cpuinfo"), "model name") or platform.machine()


def _memory() -> str:
    kilobytes = _field(Path("/proc/meminfo"), "MemTotal").partition(" ")[0]
    return f"{int(kilobytes) / 1024**2:.0f} GiB" if kilobytes.isdecimal() else "unknown memory"


def _field(file: Path, name: str) -> str:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
