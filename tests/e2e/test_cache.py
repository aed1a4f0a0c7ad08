"""What two workers keep of the upstream, as clients see it."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.programs import Npm, Served, gunicorn
from support.waiting import wait_until

from nproxy_mw.testing.upstream import RecordingUpstream, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

FULL = os.environ.get("NPROXY_STORM") == "full"  # read before the tests' environment is emptied
CONNECTIONS = 16
"""So many that each of two workers has some: a worker whose threads are idle takes whatever comes."""


@contextmanager
def connections(served: Served) -> Iterator[list[HTTPConnection]]:
    """Connections that stay with their workers."""
    opened = [HTTPConnection(urlsplit(served.url).netloc, timeout=60) for _ in range(CONNECTIONS)]
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


def app_of(folder: Path, names: Sequence[str]) -> Path:
    """An application that depends on those packages."""
    folder.mkdir(parents=True)
    dependencies = dict.fromkeys(names, "*")
    (folder / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": dependencies}))
    return folder


def test_cold_installs_of_many_clients_at_once_all_succeed(npm_program: Sequence[str], tmp_path: Path) -> None:
    """Npm clients that try nothing again want the same packages, which nobody has yet: each is fetched once."""
    count, packages = (6, 300) if FULL else (3, 60)
    names = [f"leaf-{number}" for number in range(packages)]
    with RecordingUpstream() as upstream:
        for name in names:
            upstream.publish(name, "1.0.0")
        (tmp_path / "served").mkdir()
        with gunicorn(tmp_path / "served", upstream, "--workers", "2") as served:
            clients = [Npm(npm_program, tmp_path / f"client{number}", served.url, "") for number in range(count)]
            apps = [app_of(client.folder / "app", names) for client in clients]
            with ThreadPoolExecutor(len(clients)) as pool:
                done = list(pool.map(lambda client, app: client.run("install", cwd=app), clients, apps))
        assert [one.stderr for one in done if one.returncode] == []
        asked = Counter(request.path for request in upstream.requests if request.method == "GET")
        assert len(asked) == 2 * packages
        assert set(asked.values()) == {1}


def test_silent_upstream_stops_nothing_internal(
    npm_program: Sequence[str], upstream: RecordingUpstream, served: Served, tmp_path: Path
) -> None:
    """Clients that wait for one package, and for many, hold all places there are for waiting; the rest goes on."""
    Npm(npm_program, tmp_path, served.url, served.token()).publish("@acme/base")
    go_on = Event()
    paths = ["/silent-0"] * 150 + [f"/silent-{number}" for number in range(1, 151)]
    for path in set(paths):
        upstream.on("GET", path, Reply(404, wait=go_on))
    waiting = [HTTPConnection(urlsplit(served.url).netloc, timeout=60) for _ in paths]
    try:
        for connection, path in zip(waiting, paths, strict=True):
            connection.request("GET", path)
        for _ in range(20):
            connection = HTTPConnection(urlsplit(served.url).netloc, timeout=60)
            connection.request("GET", "/@acme%2fbase", headers={"Authorization": f"Bearer {served.token()}"})
            assert connection.getresponse().status == 200
            connection.close()
        assert not go_on.is_set()
    finally:
        go_on.set()
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize("trusted", [(), ("--trusted-proxies", "1")], ids=["straight", "behind a proxy"])
def test_what_is_in_memory_needs_no_thread(
    upstream: RecordingUpstream, tmp_path: Path, trusted: tuple[str, ...]
) -> None:
    """A client that asks again is answered although the only thread waits for the upstream."""
    upstream.publish("changing", "1.0.0")
    go_on = Event()
    upstream.on("GET", "/silent", Reply(404, wait=go_on))
    (tmp_path / "served").mkdir()
    with gunicorn(tmp_path / "served", upstream, "--workers", "1", "--threads", "1", *trusted) as served:
        again, waiting = (HTTPConnection(urlsplit(served.url).netloc, timeout=30) for _ in range(2))
        for _ in range(3):
            assert tags(again) == {"latest": "1.0.0"}
        try:
            waiting.request("GET", "/silent")
            wait_until(lambda: upstream.asked("/silent"))
            for _ in range(3):
                assert tags(again) == {"latest": "1.0.0"}
            assert not go_on.is_set()
        finally:
            go_on.set()
        assert waiting.getresponse().status == 404
        for one in (again, waiting):
            one.close()


def test_cold_stampede_asks_the_upstream_once(upstream: RecordingUpstream, served: Served) -> None:
    """Sixteen clients of two workers want a packument, then a large tarball, at the same moment."""
    data = upstream.publish("stampede", "1.0.0", files={"blob": os.urandom(4 * 2**20)})
    path = "/stampede/-/stampede-1.0.0.tgz"

    def fetch(path: str) -> bytes:
        connection = HTTPConnection(urlsplit(served.url).netloc, timeout=60)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(fetch, ["/stampede"] * 16))) == 1
        assert set(pool.map(fetch, [path] * 16)) == {data}
    assert Counter(request.path for request in upstream.asked("stampede")) == {"/stampede": 1, path: 1}


def test_large_packument_is_made_once_for_all_workers(upstream: RecordingUpstream, served: Served) -> None:
    """Every connection gets the same bytes, from one file."""
    upstream.publish("large", "1.0.0", {"padding": os.urandom(400_000).hex()})
    with connections(served) as opened:
        found = []
        for connection in opened:
            connection.request("GET", "/large", headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            found.append((answer.headers["ETag"], answer.read()))
    assert len(set(found)) == 1
    assert json.loads(gzip.decompress(found[0][1]))["versions"]["1.0.0"]["padding"]
    bodies = [file for file in Path(f"{served.storage}-cache").glob("*/views/*") if file.suffix != ".entry"]
    assert [file.read_bytes() for file in bodies if file.stat().st_size > 300_000] == [found[0][1]]
