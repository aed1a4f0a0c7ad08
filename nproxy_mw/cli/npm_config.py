"""Which registry this user's npm is configured with: the default upstream of ``nproxy-mw serve``."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

SECONDS = 30  # npm takes about one to start


def configured_registry() -> str | None:
    """What ``npm config get registry`` says, or None when there is no npm on this machine, or it does not answer.

    npm is asked in an empty folder: what is meant is the user's configuration, not that of a project.
    """
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            answer = subprocess.run(  # noqa: S603 - the npm that the user would run
                [npm, "config", "get", "registry"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
    registry = answer.stdout.strip().rstrip("/")
    return registry if registry.startswith(("http://", "https://")) else None
