"""What two workers keep of the upstream, as clients see it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.programs import Npm, Served

from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CONNECTIONS = 16
"""So many that each of two workers has some: a worker whose threads are idle takes whatever comes."""


@contextmanager
def connections(served: Served) -> Iterator[list[HTTPConnection]]:
    """Connections that stay with their workers."""
    opened = [HTTPConnection(urlsplit(served.url).netloc, timeout=30) for _ in range(CONNECTIONS)]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


def get(connection: HTTPConnection, path: str) -> tuple[int, Any]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def tags(connection: HTTPConnection) -> Any:
    status, packument = get(connection, "/changing")
    return packument["dist-tags"] if status == 200 else status


def test_change_through_one_worker_is_seen_by_all_at_once(
    npm_program: Sequence[str], upstream: RecordingUpstream, served: Served, tmp_path: Path
) -> None:
    """Publish, tag, deprecate and unpublish of a public package: the next read of any worker shows it."""
    upstream.publish("changing", "1.0.0")
    npm = Npm(npm_program, tmp_path, served.url, upstream.state.token)
    with connections(served) as opened:

        def seen() -> list[Any]:
            return [tags(one) for one in opened]

        assert seen() == [{"latest": "1.0.0"}] * CONNECTIONS
        npm("publish", cwd=npm.package("changing", "1.1.0"))
        assert seen() == [{"latest": "1.1.0"}] * CONNECTIONS
        npm("dist-tag", "add", "changing@1.0.0", "old")
        assert seen() == [{"latest": "1.1.0", "old": "1.0.0"}] * CONNECTIONS
        assert {str(get(one, "/-/package/changing/dist-tags")) for one in opened} == {str((200, seen()[0]))}
        npm("deprecate", "changing@1.0.0", "use 1.1.0")
        for one in opened:
            assert get(one, "/changing/1.0.0")[1]["deprecated"] == "use 1.1.0"
        npm("unpublish", "changing", "--force")
        assert seen() == [404] * CONNECTIONS
