"""The 50 MB limit and the memory it takes, on real gunicorn."""

from __future__ import annotations

import gzip
import http.client
import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.programs import Npm, Served, gunicorn

from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

LIMIT = 52_428_800
NOISE = 39_200_000  # bytes that do not shrink: with base64 and the rest of the document just below the limit


@pytest.fixture(scope="module")
def lonely(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with one worker, whose memory can be watched."""
    with gunicorn(tmp_path_factory.mktemp("lonely"), upstream, "--workers", "1") as served:
        yield served


@pytest.fixture(scope="module")
def largest() -> bytes:
    """A publish document of exactly the limit; only its version differs between the tests."""
    noise = secrets.token_bytes(NOISE)
    document = json.dumps(publish_document("@acme/large", "1.0.0", files={"noise.bin": noise})).encode()
    assert len(document) < LIMIT
    return document[:-1] + b" " * (LIMIT - len(document)) + b"}"


def put(served: Served, body: bytes, *, chunked: bool = False, **headers: str) -> tuple[int, dict[str, str]]:
    """Sends a publish as npm does: all of it, then the answer is read."""
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=120)
    headers = {"Authorization": f"Bearer {served.token()}", "Content-Type": "application/json", **headers}
    try:
        if chunked:
            pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
            connection.request("PUT", "/@acme%2flarge", pieces, headers, encode_chunked=True)
        else:
            connection.request("PUT", "/@acme%2flarge", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def worker_of(served: Served) -> int:
    """The process that answers."""
    children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
    (worker,) = map(int, children)
    return worker


def peak(pid: int) -> int:
    """The most memory a process ever held, in MB."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_worker_publishes_the_largest_within_300_mb(lonely: Served, largest: bytes) -> None:
    """Exactly the limit passes, and one worker's memory stays under 300 MB, also at the second and refused time."""
    worker = worker_of(lonely)
    assert put(lonely, largest) == (201, {"ok": True})
    assert put(lonely, largest)[0] == 409
    assert worker_of(lonely) == worker
    assert peak(worker) < 300


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_one_byte_more_is_413(lonely: Served, largest: bytes, chunked: bool, encoding: str) -> None:
    """The whole body is taken before the answer, so that the client reads a sentence and no broken pipe."""
    body = largest + b" "
    headers = {"Content-Encoding": "gzip"} if encoding else {}
    status, answer = put(lonely, gzip.compress(body, 1) if encoding else body, chunked=chunked, **headers)
    assert status == 413
    assert "37 MB" in answer["error"]


def test_npm_shows_the_sentence(npm_program: Sequence[str], lonely: Served, tmp_path: Path) -> None:
    """npm says E413 and what to do."""
    npm = Npm(npm_program, tmp_path, lonely.url, lonely.token())
    folder = npm.package("@acme/too-large")
    (folder / "noise.bin").write_bytes(secrets.token_bytes(NOISE + 1_000_000))
    said = npm.fails("publish", cwd=folder)
    assert "E413" in said
    assert "37 MB" in said
