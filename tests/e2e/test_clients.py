"""The documents' own lines, with each client that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.clients import CLIENTS, PAGE, ROOT, Client, program_of
from support.programs import Npm, Served, gunicorn
from support.registry import ACTOR

from nproxy_mw.npm.client_setup import client_setups
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def by_path(
    upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory, npm_program: Sequence[str]
) -> Iterator[Served]:
    """A server with two organizations: *open* serves public packages to everybody, *closed* to its tokens alone."""
    folder = tmp_path_factory.mktemp("by_path")
    organizations = Organizations.at(str(folder / "store"))
    for org in ("open", "closed"):
        organization = organizations.ensure(org, actor=ACTOR)
        organization.settings.change({"internalScopes": ["@acme"], "publicReads": org == "open"}, actor=ACTOR)
    with gunicorn(folder, upstream, "--orgs", "path", scope=None) as served:
        for org in ("open", "closed"):
            served.tokens[(org,)] = organizations.open(org).tokens.create("ann", ["proxy", "publish"], actor=ACTOR)[0]
            npm = Npm(npm_program, folder / org, f"{served.url}/{org}", served.tokens[(org,)])
            npm.publish("@acme/utils")
        yield served


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    """Each client."""
    return str(request.param)


def client(name: str, served: Served, org: str, folder: Path) -> Client:
    """A client that uses the organization's registry."""
    return Client(name, program_of(name), folder, f"{served.url}/{org}", served.tokens[(org,)])


def is_installed(folder: Path, name: str) -> bool:
    """Whether an import of the package would find it; pnpm and deno keep dependencies of dependencies elsewhere."""
    return (folder / "node_modules" / name / "package.json").exists()


def test_documented_lines_install_and_publish(name: str, by_path: Served, tmp_path: Path) -> None:
    """An internal package that was published just now and a public one; then a package of one's own."""
    one = client(name, by_path, "open", tmp_path)
    app = one.project("app", dependencies={"is-odd": "^3.0.0"})
    heading, _, _ = CLIENTS[name]
    setup = next(each for each in client_setups(one.url, ["@acme"]) if each.client == heading)
    one(setup.install, app)
    assert is_installed(app, "@acme/utils")
    assert is_installed(app, "is-odd")
    if setup.publish:
        more = {"pnpm": " --no-git-checks", "yarn 1": " --non-interactive"}.get(heading, "")
        package = one.project(f"@acme/by-{name}", license="MIT")
        if name == "yarn4":
            one("yarn install", package)
        one(setup.publish + more, package)


def test_documented_lines_do_without_public_reads(name: str, by_path: Served, tmp_path: Path) -> None:
    """Where public packages need the token, too; both yarns have one line more."""
    one = client(name, by_path, "closed", tmp_path)
    heading, _, _ = CLIENTS[name]
    more = re.findall(rf"^\| {heading} \| `([^`]+)` \| `([^`]+)` \|$", PAGE.read_text(), re.MULTILINE)
    app = one.project("app", *((file, f"{line}\n") for file, line in more), dependencies={"is-odd": "^3.0.0"})
    one(f"{one.program.name} install", app)
    assert is_installed(app, "is-odd")


@pytest.mark.parametrize("page", ["docs/clients.md", "README.md"])
def test_npm_config_set_keeps_what_is_there(page: str, by_path: Served, tmp_path: Path) -> None:
    """The documented command adds its two lines to an .npmrc, and both work."""
    one = client("npm", by_path, "open", tmp_path)
    (command,) = re.findall(r"^\$ (npm config set --location=project .*)$", (ROOT / page).read_text(), re.MULTILINE)
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text('{"name": "app", "version": "1.0.0"}')
    (app / ".npmrc").write_text("fund=false\n")
    one(one.here(command), app)
    assert (app / ".npmrc").read_text().splitlines()[0] == "fund=false"
    one("npm install @acme/utils", app)
    assert is_installed(app, "@acme/utils")
