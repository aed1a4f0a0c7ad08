"""Verdaccio, installed from npm with the user's own npm, and the Node.js that it needs."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import CannotRun
from benchmarks.servers.accounts import new_token
from benchmarks.servers.port import Ability, Running, Start, started
from benchmarks.servers.template import SCOPE
from benchmarks.system.ports import free_port
from benchmarks.system.processes import environment, finished

_PACKAGE = {
    "private": True,
    "dependencies": {"verdaccio": "^6.10"},
    # Something below wants the dist-tag `cjs` of node-fetch, which mirrors may lack; it is this version.
    "overrides": {"node-fetch": "2.6.7"},
}
_NODE = 22  # the oldest that Verdaccio 6.10 runs on
_PATIENCE = 600.0  # seconds for an installation
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Verdaccio:
    """Verdaccio, below *work*. One process: several lose packages from its list when they publish at once.

    Its configuration is the default one but for the scope, the log and JSON web tokens: with its default
    tokens, each authenticated request costs a bcrypt check. Everybody may read, as by default, so reads carry no token.
    """

    work: Path
    name: str = "verdaccio"
    abilities: Ability = Ability.PROXY | Ability.INSTALL | Ability.PUBLISH

    @property
    def _home(self) -> Path:
        return self.work / "verdaccio"

    def prepare(self) -> str:
        """Installs it once, and returns its version.

        Raises:
            CannotRun: there is no npm, or npm fails.
        """
        node = self._node()
        manifest = self._home / "node_modules" / "verdaccio" / "package.json"
        if not manifest.exists():
            self._home.mkdir(parents=True, exist_ok=True)
            (self._home / "package.json").write_text(json.dumps(_PACKAGE))
            _npm_install(self._home, node)
        return f"Verdaccio {json.loads(manifest.read_bytes())['version']} on Node.js {_version(node)}"

    def _node(self) -> Path:
        """Returns a Node.js that is new enough: the user's own, or one from npm."""
        found = shutil.which("node")
        if found and int(_version(Path(found)).partition(".")[0]) >= _NODE:
            return Path(found)
        package = f"node-linux-{_MACHINES.get(platform.machine(), platform.machine())}"
        home = self.work / "node"
        node = home / "node_modules" / package / "bin" / "node"
        if not node.exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "package.json").write_text(json.dumps({"private": True, "dependencies": {package: "^24"}}))
            _npm_install(home, Path(found) if found else None)
        return node

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Runs it, and makes a user as ``npm adduser`` does."""
        port = free_port()
        configuration = folder / "config.yaml"  # YAML holds all of JSON
        configuration.write_text(json.dumps(_configuration(folder, upstream)))
        program = self._home / "node_modules" / "verdaccio" / "bin" / "verdaccio"
        command = [str(self._node()), str(program), "--config", str(configuration), "--listen", f"127.0.0.1:{port}"]
        with started(Start(command, port, env=environment(HOME=str(folder))), folder) as (url, pid, ready):
            yield Running(self.name, url, pid, ready, self.abilities, write_token=new_token(url))


def _configuration(folder: Path, upstream: str) -> dict[str, Any]:
    access = {"access": "$all", "publish": "$authenticated", "unpublish": "$authenticated"}
    return {
        "storage": str(folder / "store"),
        "auth": {"htpasswd": {"file": str(folder / "htpasswd")}},
        "uplinks": {"upstream": {"url": f"{upstream}/"}},
        "packages": {f"{SCOPE}/*": access, "**": {**access, "proxy": "upstream"}},
        "security": {"api": {"jwt": {"sign": {"expiresIn": "30d"}}}},
        "server": {"keepAliveTimeout": 60},
        "middlewares": {"audit": {"enabled": True}},
        "log": {"type": "stdout", "format": "pretty", "level": "warn"},
    }


def _npm_install(folder: Path, node: Path | None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotRun("npm is not installed, and Verdaccio comes from npm.")
    # npm chooses versions by the Node.js that it runs on.
    path = os.pathsep.join([*([str(node.parent)] if node else []), os.environ.get("PATH", os.defpath)])
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    finished(command, folder, _PATIENCE, {**os.environ, "PATH": path})


def _version(node: Path) -> str:
    found = re.search(r"\d+\.\d+\.\d+", finished([str(node), "--version"], Path.cwd(), 30))
    return found[0] if found else "0.0.0"
