"""Held versions with every client that is installed: what each installs instead, and what it prints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.clients import CLIENTS, Client, program_of
from support.dated import date_versions
from support.programs import Served, gunicorn
from support.registry import ACTOR

from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=400), NOW - timedelta(hours=30)  # old enough for the clients' own gates of a day
REASON = "fresh@1.1.0 is held by this registry's security rules: it is younger than 48 hours (version_age)."
ADD = {"npm": "npm install ", "deno": "deno add npm:"}
LOCKED = {
    "npm": "npm ci",
    "pnpm10": "pnpm install --frozen-lockfile",
    "pnpm11": "pnpm install --frozen-lockfile",
    "pnpm12": "pnpm install --frozen-lockfile",
    "yarn1": "yarn install --frozen-lockfile",
    "yarn4": "yarn install --immutable",
    "bun": "bun install --frozen-lockfile",
    "deno": "deno install --frozen",
}
"""How each installs what its lockfile names, and nothing else."""

PRINTED = {
    "pnpm11": "version not present in registry manifest",
    "pnpm12": "version not present in registry manifest",
    "yarn1": "403 Forbidden",
    "bun": "fresh-1.1.0.tgz - 403",
}
"""What those say of a locked held version that do not print the registry's reason. (pnpm breaks its lines.)"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server with the default rules, before an upstream with fresh, whose newest version 1.1.0 is held."""
    folder = tmp_path_factory.mktemp("held")
    with RecordingUpstream() as upstream:
        for version in ("1.0.0", "1.1.0"):
            upstream.publish("fresh", version, files={"index.js": f"module.exports = '{version}'"})
        date_versions(upstream, "fresh", {"1.0.0": OLD, "1.1.0": YOUNG})
        with gunicorn(folder, upstream, "--workers", "1") as served:
            yield served


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    """Each client."""
    return str(request.param)


def client(name: str, served: Served, folder: Path) -> Client:
    """A client with empty caches."""
    return Client(name, program_of(name), folder, served.url, served.token())


def add(name: str, what: str) -> str:
    """The command that adds a dependency to a project."""
    return f"{ADD.get(name, f'{CLIENTS[name][1]} add ')}{what}"


def installed(app: Path) -> str | None:
    """The version of fresh that is there."""
    manifest = app / "node_modules" / "fresh" / "package.json"
    return json.loads(manifest.read_text())["version"] if manifest.exists() else None


@pytest.mark.parametrize(("name", "asked"), [*((name, "fresh") for name in CLIENTS), ("npm", "fresh@^1.0.0")])
def test_the_newest_allowed_version_is_installed(name: str, asked: str, served: Served, tmp_path: Path) -> None:
    """For a name, which is the tag latest, and for a range."""
    one = client(name, served, tmp_path)
    app = one.project("app")
    one(add(name, asked), app)
    assert installed(app) == "1.0.0"


def test_exact_held_version_is_not_installed(name: str, served: Served, tmp_path: Path) -> None:
    """npm prints the reason; the others only say that there is no such version."""
    one = client(name, served, tmp_path)
    app = one.project("app")
    said = one.fails(add(name, "fresh@1.1.0"), app)
    assert "1.1.0" in said
    assert name != "npm" or REASON in said
    assert installed(app) is None


def test_lockfile_does_not_get_around_the_rules(name: str, served: Served, tmp_path: Path) -> None:
    """The clients that can print the reason do so."""
    settings = Organizations.at(str(served.storage)).open("default").settings
    settings.change({"rules": {"version_age": {"mode": "off"}}}, actor=ACTOR)
    try:
        before = client(name, served, tmp_path / "before")
        made = before.project("app")
        before(add(name, "fresh@1.1.0"), made)
    finally:
        settings.change({"rules": {"version_age": {"mode": "block"}}}, actor=ACTOR)
    after = client(name, served, tmp_path / "after")
    app = after.project("app")
    for file in filter(Path.is_file, made.iterdir()):
        shutil.copy(file, app / file.name)
    said = after.fails(LOCKED[name], app)
    assert PRINTED.get(name, REASON).replace(" ", "") in said.replace(" ", "")
    assert installed(app) is None
