"""Held versions with the real npm: what it installs instead, and that the reason reaches the person."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.dated import date_versions
from support.programs import Npm, Served, gunicorn

from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.times import timestamp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NOW = datetime.now(UTC)
AVAILABLE = timestamp(NOW + timedelta(hours=48))


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    """fresh, whose newest version 1.1.0 was published just now."""
    with RecordingUpstream() as upstream:
        for version in ("1.0.0", "1.1.0"):
            upstream.publish("fresh", version, files={"index.js": f"module.exports = '{version}'"})
        date_versions(upstream, "fresh", {"1.0.0": NOW - timedelta(days=400), "1.1.0": NOW})
        yield upstream


@pytest.fixture(scope="module")
def served(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server with the default rules."""
    with gunicorn(tmp_path_factory.mktemp("held"), upstream, "--workers", "1") as served:
        yield served


@pytest.fixture
def npm(npm_program: Sequence[str], served: Served, tmp_path: Path) -> Npm:
    """npm without a token: public packages may be read."""
    return Npm(npm_program, tmp_path, served.url, "")


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project with these dependencies."""

    def make(**dependencies: str) -> Path:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "package.json").write_text(
            json.dumps({"name": "project", "version": "1.0.0", "dependencies": dependencies})
        )
        return folder

    return make


def installed(folder: Path) -> str:
    """The version of fresh that is there."""
    found: dict[str, Any] = json.loads((folder / "node_modules/fresh/package.json").read_text())
    return str(found["version"])


@pytest.mark.parametrize("asked", ["fresh", "fresh@latest", "fresh@^1.0.0", "fresh@*"])
def test_the_newest_allowed_version_is_installed(npm: Npm, project: Callable[..., Path], asked: str) -> None:
    """A name, a tag and a range all lead to it."""
    folder = project()
    npm("install", asked, cwd=folder)
    assert installed(folder) == "1.0.0"


def test_exact_version_fails_with_the_reason(npm: Npm, project: Callable[..., Path]) -> None:
    """And with when it becomes available, and what to install now."""
    said = " ".join(npm.fails("install", "fresh@1.1.0", cwd=project()).split())
    assert "fresh@1.1.0 is held by this registry's security rules" in said
    assert "(version_age)" in said
    assert f"It becomes available at {AVAILABLE}." in said
    assert "Install fresh@1.0.0 instead." in said
    assert f"See {npm.url}/-/nproxy/explain/fresh/1.1.0" in said


def test_lockfile_with_a_held_version_fails_with_the_reason(
    npm: Npm, project: Callable[..., Path], upstream: RecordingUpstream
) -> None:
    """A lockfile that was made elsewhere does not get around the rules."""
    folder = project(fresh="1.1.0")
    dist = upstream.state.packuments["fresh"]["versions"]["1.1.0"]["dist"]
    locked = {"version": "1.1.0", "resolved": f"{npm.url}/fresh/-/fresh-1.1.0.tgz", "integrity": dist["integrity"]}
    root = {"name": "project", "version": "1.0.0", "dependencies": {"fresh": "1.1.0"}}
    lock = {"name": "project", "version": "1.0.0", "lockfileVersion": 3, "requires": True}
    packages = {"": root, "node_modules/fresh": locked}
    (folder / "package-lock.json").write_text(json.dumps({**lock, "packages": packages}))
    said = " ".join(npm.fails("ci", cwd=folder).split())
    assert "fresh@1.1.0 is held by this registry's security rules" in said
    assert f"It becomes available at {AVAILABLE}." in said
    assert f"See {npm.url}/-/nproxy/explain/fresh/1.1.0" in said
    assert not (folder / "node_modules/fresh").exists()


def test_audit_of_an_allowed_tree_is_clean(npm: Npm, project: Callable[..., Path]) -> None:
    """The server rebuilds the report, and npm reads it."""
    folder = project(fresh="^1.0.0")
    npm("install", cwd=folder)
    assert json.loads(npm("audit", "--json", cwd=folder))["metadata"]["vulnerabilities"]["total"] == 0
