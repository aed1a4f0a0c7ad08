"""nproxy_mw of this checkout, as it comes: three organizations, authentication, all rules at their defaults."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import CannotRun
from benchmarks.plan import THREADS, WORKERS
from benchmarks.servers.bare import package_version
from benchmarks.servers.port import Ability, Running, Start, started
from benchmarks.servers.template import ORGANIZATION, PROGRAM, ROOT, Template, call
from benchmarks.system.ports import free_port
from benchmarks.system.processes import environment, finished

_PATIENCE = 300.0  # seconds for all bytecode


@dataclass(frozen=True, slots=True)
class Ours:
    """nproxy_mw under *server*, each time on a new copy of *template*."""

    server: str
    template: Template
    abilities: Ability = Ability.PROXY | Ability.INSTALL | Ability.PUBLISH

    @property
    def name(self) -> str:
        """Its column in the table."""
        return f"nproxy-mw-{self.server}"

    def prepare(self) -> str:
        """Makes the template, and returns the versions of nproxy_mw and of the server.

        Raises:
            CannotRun: the checkout does not offer the server, or the server is not installed.
        """
        found = package_version(self.server)
        if self.server != "gunicorn" and "--server" not in call("serve", "--help"):
            raise CannotRun(f"This checkout of nproxy_mw cannot run under {self.server}: serve has no --server.")
        # As pip does for what it installs.
        finished([sys.executable, "-m", "compileall", "-q", str(ROOT / "nproxy_mw")], ROOT, _PATIENCE)
        self.template.make()
        return f"{call('--version').strip()} on {self.server} {found}"

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Running]:
        """Runs it, each organization below a path of its own."""
        shutil.copytree(self.template.folder, folder / "store")
        port = free_port()
        start = Start(
            self._command(folder, port, upstream),
            port,
            env=environment(PYTHONPATH=str(ROOT), HOME=str(folder)),
            prefix=f"/{ORGANIZATION}",
        )
        tokens = self.template.tokens
        with started(start, folder) as (url, pid, ready):
            yield Running(self.name, url, pid, ready, self.abilities, tokens["proxy"], tokens["publish"])

    def _command(self, folder: Path, port: int, upstream: str) -> list[str]:
        options = {
            "--orgs": "path",
            "--storage": str(folder / "store"),
            "--bind": f"127.0.0.1:{port}",
            "--upstream": upstream,
            "--workers": str(WORKERS),
            "--threads": str(THREADS),
            **({} if self.server == "gunicorn" else {"--server": self.server}),
        }
        return [*PROGRAM, "serve", *(part for option in options.items() for part in option)]
