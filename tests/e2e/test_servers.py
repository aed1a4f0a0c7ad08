"""One registry under four WSGI servers: the same requests, the same answers."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
import socket
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from email import message_from_bytes
from http.client import HTTPConnection, HTTPMessage, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.impatient import read_all
from support.programs import Npm, Served
from support.wsgi_servers import SERVERS

from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

MIB = 2**20
LARGE = "/@acme/large/-/large-1.0.0.tgz"


@pytest.fixture(scope="module", params=list(SERVERS))
def server(
    request: pytest.FixtureRequest, upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The registry under one of the servers, with a package of 12 MiB."""
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param), upstream) as served:
        document = publish_document("@acme/large", "1.0.0", files={"noise.bin": secrets.token_bytes(12 * MIB)})
        assert ask(served, "/@acme%2flarge", "PUT", json.dumps(document).encode())[0] == 201
        yield served


def ask(
    served: Served, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, HTTPMessage, bytes]:
    """One request that brings a token that may do everything: status, headers and body."""
    with closing(HTTPConnection(urlsplit(served.url).netloc, timeout=60)) as connection:
        connection.request(method, path, body, {"Authorization": f"Bearer {served.token()}", **_named(headers)})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def connected(served: Served, buffer: int = 0) -> socket.socket:
    """A connection; *buffer* is the size of what the system takes of an answer."""
    place, client = urlsplit(served.url), socket.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(60)
    client.connect((place.hostname, place.port))
    return client


def head(method: str, path: str, served: Served, *more: str) -> bytes:
    """The head of a request that is the last on its connection."""
    fixed = (f"Host: {urlsplit(served.url).netloc}", f"Authorization: Bearer {served.token()}", "Connection: close")
    return "\r\n".join([f"{method} {path} HTTP/1.1", *fixed, *more, "", ""]).encode()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def integrity(body: bytes) -> str:
    return f"sha512-{b64encode(hashlib.sha512(body).digest()).decode()}"


def test_npm_publishes_and_installs(npm_program: Sequence[str], server: Served, tmp_path: Path) -> None:
    """Internal and public packages, by npm itself; a second install from the lockfile."""
    npm = Npm(npm_program, tmp_path, server.url, server.token())
    npm.publish("@acme/utils", dependencies={"is-odd": "^3.0.0"})
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"@acme/utils": "^1.0.0"}}))
    npm("install", cwd=app, cache="first")
    npm("ci", cwd=app, cache="second")
    for name in ("@acme/utils", "is-odd", "is-number"):
        assert (app / "node_modules" / name / "index.js").exists()
    assert "E409" in npm.fails("publish", "--force", cwd=npm.folder / "packages" / "@acme-utils-1.0.0")


def test_large_tarball_is_what_was_published(server: Served) -> None:
    """Byte for byte, with its length."""
    status, headers, body = ask(server, LARGE)
    packument = json.loads(ask(server, "/@acme%2flarge")[2])
    assert (status, headers["Content-Length"]) == (200, str(len(body)))
    assert integrity(body) == packument["versions"]["1.0.0"]["dist"]["integrity"]


def test_slow_reader_gets_everything_and_stops_nobody(server: Served) -> None:
    """A client that takes its tarball in small sips, while others are answered."""
    whole = ask(server, LARGE)[2]
    with connected(server, buffer=16_384) as slow:
        slow.sendall(head("GET", LARGE, server))
        taken = slow.recv(4096)
        for _ in range(20):
            assert ask(server, "/-/ping")[0] == 200
            taken += slow.recv(4096)
        taken += read_all(slow)
    assert taken.partition(b"\r\n\r\n")[2] == whole


@pytest.mark.parametrize("path", ["/-/ping", "/@acme%2flarge", LARGE, "/is-odd", "/is-odd/-/is-odd-3.0.1.tgz"])
def test_head_is_get_without_its_body(server: Served, path: str) -> None:
    """The same headers, and not a byte after them, which would spoil the next answer on a connection."""
    ask(server, path)  # the first to ask for a tarball of the upstream gets it as it comes from there
    expected = ask(server, path)[1]
    with connected(server) as client:
        client.sendall(head("HEAD", path, server))
        answer = read_all(client)
    headers, _, rest = answer.partition(b"\r\n\r\n")
    assert (headers.split()[1], rest) == (b"200", b"")
    found = message_from_bytes(headers.partition(b"\r\n")[2])
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control", "Accept-Ranges"):
        assert found[name] == expected[name]


@pytest.mark.parametrize("path", ["/@acme%2flarge", LARGE, "/is-odd", "/is-odd/-/is-odd-3.0.1.tgz"])
def test_304(server: Served, path: str) -> None:
    """What the client has is not sent again."""
    etag = ask(server, path)[1]["ETag"]
    status, headers, body = ask(server, path, If_None_Match=etag)
    assert (status, headers["ETag"], body) == (304, etag, b"")
    assert ask(server, path, If_None_Match='"another"')[0] == 200


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=1000000-2000000", "bytes=-5", "bytes=12000000-"])
def test_range(server: Served, asked: str) -> None:
    """The bytes at those places of the whole, and where they are."""
    whole = ask(server, LARGE)[2]
    status, headers, body = ask(server, LARGE, Range=asked)
    assert status == 206
    first, last, size = map(int, headers["Content-Range"].removeprefix("bytes ").replace("/", "-").split("-"))
    assert body == whole[first : last + 1]
    assert (size, int(headers["Content-Length"])) == (len(whole), len(body))


def test_range_beyond_the_end(server: Served) -> None:
    """416, which says how long the whole is."""
    assert ask(server, LARGE, Range="bytes=999999999-")[0] == 416


def test_gzip(server: Served) -> None:
    """A packument is compressed for those who ask for it, and is the same."""
    _, headers, body = ask(server, "/is-odd", Accept_Encoding="gzip")
    plain = ask(server, "/is-odd")[2]
    unpacked = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
    assert unpacked == plain


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/@acme%2fabsent", 404), ("DELETE", "/-/ping", 405), ("GET", "/@acme%2futils%00", 400)],
)
def test_error_is_json_with_the_id_of_its_request(server: Served, method: str, path: str, status: int) -> None:
    """The same sentence everywhere, never a server's own page."""
    found, headers, body = ask(server, path, method)
    document = json.loads(body)
    assert (found, headers["Content-Type"]) == (status, "application/json")
    assert document["requestId"] == headers["X-Request-Id"]
    assert document["error"].endswith(".")
    assert status != 405 or headers["Allow"]


def test_refused_token_is_said(server: Served) -> None:
    """401 with its challenge, and the sentence where npm prints it."""
    status, headers, _ = ask(server, "/@acme%2flarge", Authorization="Bearer nproxy_wrong")
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert "token" in headers["npm-notice"]


def test_too_large_publish_is_413(server: Served) -> None:
    """After the body was read, so that npm shows the sentence instead of a broken pipe."""
    status, _, body = ask(server, "/@acme%2fhuge", "PUT", b" " * (53 * MIB))
    assert status == 413, body
    assert "larger than 50 MB" in json.loads(body)["error"]


def test_cut_upload_stores_nothing(server: Served) -> None:
    """A client that goes away in the middle."""
    body = json.dumps(publish_document("@acme/cut", "1.0.0")).encode()
    with connected(server) as client:
        client.sendall(head("PUT", "/@acme%2fcut", server, f"Content-Length: {len(body)}") + body[:-50])
        client.shutdown(socket.SHUT_WR)
        read_all(client)
    assert ask(server, "/@acme%2fcut")[0] == 404


def test_download_that_breaks_off_never_looks_complete(server: Served, upstream: RecordingUpstream) -> None:
    """The upstream's bytes are not those of the integrity: the client must not take what it has for the whole."""
    name = f"broken-{urlsplit(server.url).port}"
    upstream.publish(name, "1.0.0", files={"noise.bin": secrets.token_bytes(MIB)})
    path = f"/{name}/-/{name}-1.0.0.tgz"
    upstream.on("GET", path, Reply(200, b"x" * MIB, {"Content-Type": "application/octet-stream"}))
    try:
        status, _, body = ask(server, path)
    except (ConnectionError, IncompleteRead):
        return
    assert status >= 500, (status, len(body))
