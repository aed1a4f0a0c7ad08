"""The program at the beginning of a pipe whose reader goes away: it ends, and says nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.registry import ACTOR

from nproxy_mw.cli import CUT_OFF
from nproxy_mw.orgs.organization import organization_at

COMMAND = (sys.executable, "-c", "import sys; from nproxy_mw.cli import main; sys.exit(main())")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["audit", "export"], id="more than a buffer"),
        pytest.param(["token", "list"], id="less than a buffer"),
        pytest.param(["check"], id="lines one by one"),
        pytest.param(["--help"], id="help"),
        pytest.param(["--version"], id="version"),
    ],
)
def test_reader_that_goes_away_is_no_error(tmp_path, arguments):
    """No traceback; the exit code is that of a program that was ended by its pipe."""
    organization = organization_at(str(tmp_path / "store"))
    for number in range(20):
        organization.tokens.create(f"token {number} {'x' * 80}", ["proxy"], actor=ACTOR)
    organization.storage.create("tokens/stray", b"")
    storage = [] if arguments[0].startswith("-") else ["--storage", str(tmp_path / "store")]
    command = [*COMMAND, *arguments, *storage]
    environ = {**os.environ, "PYTHONUNBUFFERED": ""}  # as on most machines: argparse says nothing of a failing write
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=60) == CUT_OFF
    assert said == ""
