"""A server whose store loses its settings: no process, old or new, takes an internal name for a public one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.programs import PROGRAM, Served, gunicorn

from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def served(upstream: RecordingUpstream, tmp_path: Path) -> Iterator[Served]:
    """A server with one worker, before an upstream that has a package of an internal name."""
    upstream.publish("@acme/twin", "6.6.6", files={"index.js": ""})
    with gunicorn(tmp_path, upstream, "--workers", "1") as served:
        yield served


def status(url: str) -> int:
    try:
        with urlopen(Request(url), timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def workers_of(pid: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, timeout=60, check=False)
    return [int(line) for line in listed.stdout.split()]


def test_new_worker_asks_nobody_for_internal_names(served: Served, upstream: RecordingUpstream) -> None:
    """Old workers and new ones answer 503 until the settings are back; the upstream hears nothing."""
    name = f"{served.url}/@acme%2ftwin"
    assert status(name) == 401
    settings = served.storage / "orgs" / "default" / "settings.json"
    kept = settings.read_bytes()
    settings.unlink()
    assert status(name) == 503
    (old,) = workers_of(served.pid)
    os.kill(old, signal.SIGKILL)
    assert status(name) == 503  # the connection waits for the worker that takes the old one's place
    assert old not in workers_of(served.pid)
    settings.write_bytes(kept)
    assert status(name) == 401
    assert upstream.asked("acme") == []


def test_start_without_settings_is_refused(served: Served, tmp_path: Path) -> None:
    """A server does not start on a store that lost them: scopes that were set later would be forgotten."""
    (served.storage / "orgs" / "default" / "settings.json").unlink()
    command = [PROGRAM, "serve", "--bind", "127.0.0.1:0", "--storage", str(served.storage), "--upstream", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert (done.returncode, "settings are gone" in done.stderr) == (2, True)
