"""Through one URL, with the registry this machine's npm is configured with behind it. Run with ``-m live -n 0``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.programs import PROGRAM, READY, Npm, run

pytestmark = [pytest.mark.e2e, pytest.mark.live, pytest.mark.timeout(600)]


@pytest.fixture
def live(npm_program: Sequence[str], tmp_path: Path) -> Iterator[Npm]:
    """npm before a server whose upstream is the default one."""
    store = str(tmp_path / "store")
    command = [PROGRAM, "serve", "--bind", "127.0.0.1:0", "--scope", "@acme", "--storage", store]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith(READY))
        token = run([PROGRAM, "token", "create", "--scope", "proxy", "--scope", "publish", "--storage", store])
        yield Npm(npm_program, tmp_path / "npm", line.removeprefix(READY).split("/ ")[0], token.stdout.strip())
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_application_is_installed_through_one_url(live: Npm, tmp_path: Path) -> None:
    """Three public trees and two internal packages; the lockfile names no other place, and is enough for npm ci."""
    live.publish("@acme/base")
    live.publish("@acme/utils", dependencies={"@acme/base": "^1.0.0", "lodash": "^4.0.0"})
    app = tmp_path / "app"
    app.mkdir()
    dependencies = {"@acme/utils": "^1.0.0", "express": "*", "lodash": "^4.0.0", "typescript": "*"}
    (app / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": dependencies}))
    live("install", "--no-audit", cwd=app, cache="first")
    lock = json.loads((app / "package-lock.json").read_text())
    resolved = [one["resolved"] for path, one in lock["packages"].items() if path]
    assert len(resolved) > 50
    assert all(url.startswith(f"{live.url}/") for url in resolved)
    live("ci", "--no-audit", cwd=app, cache="second")
    assert sorted(path.name for path in (app / "node_modules" / "@acme").iterdir()) == ["base", "utils"]
