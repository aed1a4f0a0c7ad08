"""``nproxy-mw serve`` as an operator runs it: in a folder, with what it says on both streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

PROGRAM = str(Path(sys.executable).with_name("nproxy-mw"))
STOPPED = "Stopping: requests that are under way have 10 seconds.\nStopped.\n"
_LAST = ("Everything else", "Internal packages only", "No npm")


class Running:
    """The server with one worker on a port that the system chose, in *folder*, until the block ends.

    *prepare* is called in its process first. *greeting* holds what it says until the line about the upstream, *rest*
    what follows, and `said` what it says on standard error, all of it once the block has ended.
    """

    def __init__(
        self, folder: Path, *arguments: str, prepare: Callable[[], None] | None = None, **variables: str
    ) -> None:
        # Under development mode, gunicorn's workers tell of sockets that they leave to the system.
        environ = {"PYTHONDEVMODE": "", "NPROXY_BIND": "127.0.0.1:0", "NPROXY_UPSTREAM": "none", **variables}
        self.process: Any = subprocess.Popen(
            [PROGRAM, "serve", "--workers", "1", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, **environ}, preexec_fn=prepare,
        )  # fmt: skip
        self.greeting: list[str] = []
        self.rest = ""
        self._said: list[str] = []
        self._reader = threading.Thread(target=lambda: self._said.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        for line in self.process.stdout:
            self.greeting.append(line.rstrip())
            if line.startswith(_LAST):
                return self
        self._reader.join(timeout=60)
        raise AssertionError(self.said)

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.terminate()
            self.rest = self.process.stdout.read()
            self._reader.join(timeout=60)

    @property
    def said(self) -> str:
        """What it said on standard error so far."""
        return "".join(self._said)

    @property
    def url(self) -> str:
        """Where it is, with the closing slash."""
        return self.greeting[0].removeprefix("nproxy-mw is ready at ").removesuffix(" (Ctrl-C stops it).")

    def stop(self) -> int:
        """Stops it as Ctrl-C does; answers its exit code."""
        self.process.send_signal(signal.SIGINT)
        return int(self.process.wait(timeout=60))
