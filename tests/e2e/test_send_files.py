"""The registry behind nginx, by the configuration in the docs, which sends tarballs by itself."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.impatient import eventually
from support.ports import free_port
from support.programs import Npm, Served, gunicorn

from nproxy_mw.testing.documents import publish_document
from nproxy_mw.testing.upstream import RecordingUpstream

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

DOCS = Path(__file__).parents[2] / "docs"
LARGE, PUBLIC = "/@acme/large/-/large-1.0.0.tgz", "/is-odd/-/is-odd-3.0.1.tgz"
_NGINX = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ }}
http {{
    log_format files '$request_method $uri $status $body_bytes_sent';
    access_log {folder}/access.log files;
    client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/npm.conf;
}}
"""


@pytest.fixture(scope="module")
def nginx() -> str:
    """The program."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nginx is not installed")
    return found


@pytest.fixture(scope="module")
def direct(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The registry itself, which leaves the sending to nginx."""
    with gunicorn(tmp_path_factory.mktemp("npm"), upstream, "--send-files", "x-accel-redirect") as served:
        document = publish_document("@acme/large", "1.0.0", files={"noise.bin": secrets.token_bytes(3_000_000)})
        assert ask(served, "/@acme%2flarge", "PUT", json.dumps(document).encode())[0] == 201
        yield served


@pytest.fixture(scope="module")
def front(nginx: str, direct: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """nginx before it, with the docs' own configuration: only places and ports are others."""
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    (folder / "files").symlink_to(direct.storage)  # so that they can go away
    places = {
        "8080": f"127.0.0.1:{port}",
        "127.0.0.1:4874": urlsplit(direct.url).netloc,
        "/srv/npm-cache/": f"{direct.storage}-cache/",
        "alias /srv/npm/": f"alias {folder}/files/",
        "/srv/npm/": f"{direct.storage}/",
        "/etc/nginx/npm-file.conf": f"{folder}/npm-file.conf",
        "$host": "$http_host",  # with the port, which a public server does not have
    }
    text = (DOCS / "nginx.conf").read_text()
    for before, after in places.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "npm.conf").write_text(text)
    shutil.copy(DOCS / "nginx-file.conf", folder / "npm-file.conf")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(user=user, folder=folder))
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: is_listening(port)), (folder / "error.log").read_text()
            yield Served(f"http://127.0.0.1:{port}", folder, direct.upstream, process.pid, direct.tokens)
        finally:
            process.terminate()


@contextmanager
def hidden(path: Path) -> Iterator[None]:
    """Moves *path* away for a ``with`` block."""
    aside = path.with_name("aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ask(
    served: Served, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, HTTPMessage, bytes]:
    """One request with a token, unless another one is given; status, headers and body."""
    named = {"Authorization": f"Bearer {served.token()}"} | {key.replace("_", "-"): headers[key] for key in headers}
    with closing(HTTPConnection(urlsplit(served.url).netloc, timeout=60)) as connection:
        connection.request(method, path, body, {name: value for name, value in named.items() if value})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def sent_by_nginx(front: Served) -> list[str]:
    """The files that nginx sent, as its log has them."""
    lines = (front.storage / "access.log").read_text().splitlines()
    return [line for line in lines if line.split()[1].startswith("/.nproxy-files/") and line.split()[2] == "200"]


def test_npm_installs_through_it(npm_program: Sequence[str], front: Served, tmp_path: Path) -> None:
    """Internal and public packages; npm checks their integrity."""
    npm = Npm(npm_program, tmp_path, front.url, front.token())
    npm.publish("@acme/utils", dependencies={"is-odd": "^3.0.0"})
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text(json.dumps({"name": "app", "dependencies": {"@acme/utils": "^1.0.0"}}))
    npm("install", cwd=app, cache="first")
    before = len(sent_by_nginx(front))
    npm("ci", cwd=app, cache="second")
    assert eventually(lambda: len(sent_by_nginx(front)) >= before + 3)


@pytest.mark.parametrize("path", [LARGE, PUBLIC])
def test_file_is_sent_by_nginx_and_is_the_same(front: Served, direct: Served, path: str) -> None:
    """Byte for byte, with the registry's own headers; the registry itself sent none of it."""
    ask(front, path)  # what comes from the upstream is kept first
    before = len(sent_by_nginx(front))
    status, headers, body = ask(front, path)
    assert status == 200
    # nginx may write of the first one later than it answers.
    assert eventually(lambda: len(sent_by_nginx(front)) > before)
    name, version = path.split("/-/")[0][1:], path.rpartition("-")[2].removesuffix(".tgz")
    dist = json.loads(ask(front, f"/{name}")[2])["versions"][version]["dist"]
    assert f"sha512-{b64encode(hashlib.sha512(body).digest()).decode()}" == dist["integrity"]
    assert headers["Content-Length"] == str(len(body))
    _, own, empty = ask(direct, path)
    assert empty == b""
    for header in ("ETag", "Cache-Control", "Content-Type", "Content-Security-Policy", "X-Content-Type-Options"):
        assert headers[header] == own[header], header
    assert "X-Accel-Redirect" not in headers
    assert "X-Accel-Redirect" in own
    assert len(headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("path", [LARGE, PUBLIC])
def test_head_and_304_agree_with_get(front: Served, path: str) -> None:
    """Whoever of the two answers."""
    ask(front, path)
    _, headers, body = ask(front, path)
    status, head, nothing = ask(front, path, "HEAD")
    assert (status, nothing, head["Content-Length"], head["ETag"]) == (200, b"", str(len(body)), headers["ETag"])
    assert ask(front, path, If_None_Match=headers["ETag"])[0] == 304
    assert ask(front, path, If_None_Match='"another"')[0] == 200


@pytest.mark.parametrize("path", [LARGE, PUBLIC])
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=100-199", "bytes=-7"])
def test_range(front: Served, path: str, asked: str) -> None:
    """The part, and where it is; also after a condition that holds, and the whole after one that does not."""
    ask(front, path)
    _, headers, whole = ask(front, path)
    for condition in ({}, {"If_Range": headers["ETag"]}):
        status, found, body = ask(front, path, Range=asked, **condition)
        assert status == 206
        first, last, size = map(int, found["Content-Range"].removeprefix("bytes ").replace("/", "-").split("-"))
        assert (body, size) == (whole[first : last + 1], len(whole))
    assert ask(front, path, Range=asked, If_Range='"another"')[::2] == (200, whole)


def test_errors_are_the_registrys(front: Served) -> None:
    """A tarball that is not there, and one that needs a token: JSON, and no place of a file."""
    for path, token, expected in (
        ("/@acme/large/-/large-9.9.9.tgz", f"Bearer {front.token()}", 404),
        ("/is-odd/-/is-odd-9.9.9.tgz", f"Bearer {front.token()}", 404),
        (LARGE, "", 401),
        (LARGE, "Bearer nproxy_wrong", 401),
    ):
        status, headers, body = ask(front, path, Authorization=token)
        assert status == expected
        assert json.loads(body)["requestId"] == headers["X-Request-Id"]
        assert "/" not in json.loads(body)["error"].replace("//<registry>/:_authToken", "")


def test_file_that_is_gone_is_tried_again(front: Served, direct: Served) -> None:
    """Removed in the moment between: 503, which npm repeats, and not a word about where it was."""
    ask(direct, LARGE)
    with hidden(front.storage / "files"):
        status, headers, body = ask(front, LARGE)
    assert (status, headers["Retry-After"], json.loads(body)["code"]) == (503, "1", "tarball-gone")
    assert str(direct.storage) not in f"{headers}{body!r}"
    assert ask(front, LARGE)[0] == 200


@pytest.mark.parametrize("below", ["", "/srv/npm/x", "{storage}/orgs", "{storage}/../store/orgs", "/etc/passwd"])
def test_files_cannot_be_reached_from_outside(front: Served, direct: Served, below: str) -> None:
    """By their place, in whatever spelling; with or without a token."""
    document = next(path for path in direct.storage.rglob("*") if path.is_file() and path.stat().st_size)
    for path in (
        f"/.nproxy-files{below.format(storage=direct.storage)}",
        f"/.nproxy-files{document}",
        f"//.nproxy-files{document}",
        f"/%2enproxy-files{document}",
        f"/x/../.nproxy-files{document}",
    ):
        for token in (f"Bearer {front.token()}", ""):
            status, _, body = ask(front, path, Authorization=token)
            assert status in (400, 401, 404)
            assert document.read_bytes() not in body


@pytest.mark.parametrize(
    "header", ["X-Accel-Redirect", "X-Sendfile", "X-Sendfile-Type", "X-Accel-Mapping", "X-Forwarded-Prefix"]
)
def test_client_has_no_say(front: Served, direct: Served, header: str) -> None:
    """Headers with which other frameworks can be told to send files, or where they are."""
    secret = next(path for path in direct.storage.rglob("*") if path.is_file() and path.stat().st_size)
    for value in (str(secret), f"/.nproxy-files{secret}", "/=/etc/", "X-Accel-Redirect"):
        status, headers, body = ask(front, LARGE, **{header.replace("-", "_"): value})
        assert (status, headers["Content-Length"]) == (200, str(len(body)))
        assert len(body) > 3_000_000
