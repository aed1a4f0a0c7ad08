"""npm itself: ``npm install`` and ``npm ci`` of the whole tree, with an empty npm cache."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import MeasureFailed
from benchmarks.measures.port import Measure, Trial
from benchmarks.measures.tree import warm
from benchmarks.results import Reading
from benchmarks.servers.port import Ability
from benchmarks.system.accounting import CpuMeter
from benchmarks.system.processes import environment, program, wait_for_exit

_PATIENCE = 600.0  # seconds for one command
_LOCKFILE = "package-lock.json"
_SETTINGS = """\
replace-registry-host=always
audit=false
fund=false
update-notifier=false
progress=false
loglevel=error
ignore-scripts=true
fetch-retries=0
"""


def _run(command: str, trial: Trial) -> Iterable[Reading]:
    lockfile = _lockfile(trial)
    with TemporaryDirectory(dir=trial.folder) as place:
        project = Path(place)
        _write_project(project, trial)
        if command == "ci":
            shutil.copy(lockfile, project / _LOCKFILE)
        warm(trial)
        trial.upstream.forget()
        meter = CpuMeter(trial.server.pid) if trial.server.pid else None
        wall, user = _npm(project, trial.server.url, trial.server.read_token, command)
        values = {"wall_s": wall, "user_s": user, **({"cpu_s": meter.seconds()} if meter else {})}
        values["fetches"] = trial.upstream.requests()
        _check(project, lockfile)
    yield Reading(f"npm {command}", ("wall_s", "user_s", "cpu_s"), values)


def _lockfile(trial: Trial) -> Path:
    """Returns the tree's lockfile, which the first caller makes from the upstream itself."""
    folder = trial.folder / "lockfile"
    if not (folder / _LOCKFILE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write_project(folder, trial)
        _npm(folder, trial.upstream.url, "", "install", "--package-lock-only")
    return folder / _LOCKFILE


def _write_project(folder: Path, trial: Trial) -> None:
    manifest = {
        "name": "benchmark",
        "version": "1.0.0",
        "private": True,
        "dependencies": dict(trial.corpus.dependencies),
    }
    (folder / "package.json").write_text(json.dumps(manifest))


def _npm(folder: Path, url: str, token: str, *arguments: str) -> tuple[float, float]:
    """Runs npm in *folder*. Returns its wall time and its user CPU, in seconds."""
    found = shutil.which("npm")
    if found is None:
        raise MeasureFailed("npm is not installed.")
    (folder / ".npmrc").write_text(_settings(url, token))
    env = environment(HOME=str(folder), NPM_CONFIG_CACHE=str(folder / "cache"), NPM_CONFIG_GLOBALCONFIG=os.devnull)
    started = time.perf_counter()
    with program([found, *arguments], folder, env) as process:
        if not wait_for_exit(process.pid, _PATIENCE):
            raise MeasureFailed(f"npm {arguments[0]} took longer than {_PATIENCE:.0f} seconds.")
        wall = time.perf_counter() - started
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeasureFailed(f"npm {arguments[0]} failed: {_first_line(folder / 'log')}")
    return wall, usage.ru_utime


def _settings(url: str, token: str) -> str:
    _, _, place = url.partition(":")
    authentication = [f"{place}/:_authToken={token}"] if token else []
    return "\n".join([f"registry={url}/", *authentication, _SETTINGS])


def _check(project: Path, lockfile: Path) -> None:
    """Raises `MeasureFailed` unless *project* has everything that *lockfile* requires."""
    rows = json.loads(lockfile.read_bytes())["packages"]
    wanted = {path for path, row in rows.items() if path and not row.get("optional")}
    installed = json.loads((project / "node_modules" / ".package-lock.json").read_bytes())["packages"]
    missing = wanted - installed.keys()
    if missing:
        raise MeasureFailed(f"npm did not install {len(missing)} of {len(wanted)} packages.")


def _first_line(log: Path) -> str:
    return log.read_text(errors="replace").strip().partition("\n")[0][:200]


def measures() -> list[Measure]:
    """Returns a measure for each command."""
    texts = {
        "install": "npm install without a lockfile: packuments and tarballs.",
        "ci": "npm ci with a lockfile: tarballs only.",
    }
    return [
        Measure(
            "npm",
            f"npm-{command}",
            f"{text} Empty npm cache, warm server; wall time and npm's own user CPU.",
            Ability.INSTALL,
            partial(_run, command),
            is_costly=True,
            is_quick=command == "install",
        )
        for command, text in texts.items()
    ]
