"""A store of nproxy_mw with three organizations and tokens, made once in a run through its command line, and copied."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.system.processes import environment, finished

SCOPE = "@bench"
"""The scope that is published to; also on the other servers."""

ORGANIZATION = "bench"
"""The organization that is measured."""

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "import sys; from nproxy_mw.cli import main; sys.exit(main())")
_OTHERS = ("second", "third")
_PATIENCE = 60.0  # seconds for one command


@dataclass(slots=True)
class Template:
    """The store in *folder*, and the tokens that may read and publish."""

    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        """Makes the store anew, once in a run.

        Raises:
            CannotRun: nproxy_mw refuses one of the commands.
        """
        if self.tokens:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        place = ("--storage", str(self.folder))
        for organization in (ORGANIZATION, *_OTHERS):
            call("org", "create", organization, *place)
            call("settings", "set", f"internalScopes={SCOPE}", "--org", organization, *place)
        for scope in ("proxy", "publish"):
            made = call("token", "create", "--scope", scope, "--name", "bench", "--org", ORGANIZATION, *place)
            self.tokens[scope] = made.strip()


def call(*arguments: str) -> str:
    """Runs ``nproxy-mw`` of this checkout, and returns what it prints.

    Raises:
        CannotRun: it fails.
    """
    return finished([*PROGRAM, *arguments], Path.cwd(), _PATIENCE, environment(PYTHONPATH=str(ROOT)))
