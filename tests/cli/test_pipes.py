"""The program at the beginning of a pipe whose reader goes away: it ends, and says nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from house import ACTOR

from nproxy_mw.organisation import organisation_at

COMMAND = (sys.executable, "-c", "import sys; from nproxy_mw.cli import main; sys.exit(main())")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["audit", "export"], 141, id="more than a buffer"),
        pytest.param(["token", "list"], 141, id="less than a buffer"),
        pytest.param(["check"], 141, id="lines one by one"),
        pytest.param(["--help"], 0, id="help"),
        pytest.param(["--version"], 0, id="version"),
    ],
)
def test_reader_that_goes_away_is_no_error(tmp_path, arguments, code):
    """No traceback; the exit code is that of a program that was ended by its pipe."""
    organisation = organisation_at(str(tmp_path / "store"))
    for number in range(20):
        organisation.tokens.create(f"token {number} {'x' * 80}", ["proxy"], actor=ACTOR)
    organisation.storage.create("tokens/stray", b"")
    storage = [] if arguments[0].startswith("-") else ["--storage", str(tmp_path / "store")]
    command = [*COMMAND, *arguments, *storage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=60) == code
    assert said == ""
