"""SendFiles: which responses a server in front sends, and what it is told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from support.client import Client
from support.publications import ACTOR, publish

from nproxy_mw import organization_at, registry
from nproxy_mw.http.messages import File, Response, send
from nproxy_mw.middleware.send_files import SendFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files may be sent."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept"


def kept(folder: Path, name: str = "a.tgz") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"tarball")
    return path


def sent(
    response: Response, folder: Path, how: str = "x-accel-redirect", method: str = "GET", **environ: Any
) -> tuple[dict[str, str], bytes]:
    """The headers and the body that the server in front gets."""
    given: dict[str, str] = {}
    layer = SendFiles(lambda environ, start: send(environ, start, response), how=how, folders=[folder])
    body = layer({"REQUEST_METHOD": method, **environ}, lambda status, headers: given.update(headers))  # type: ignore[arg-type, return-value]
    try:
        return given, b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()


@pytest.mark.parametrize(
    ("how", "header", "prefix"),
    [("x-accel-redirect", "X-Accel-Redirect", "/.nproxy-files"), ("x-sendfile", "X-Sendfile", "")],
)
def test_file_is_named_instead_of_sent(folder: Path, how: str, header: str, prefix: str) -> None:
    """With everything else that the response had; the file is closed."""
    path = kept(folder)
    with path.open("rb") as stream:
        headers, body = sent(Response(200, [("ETag", '"a"')], File(stream, 7)), folder, how)
        assert stream.closed
    assert headers == {
        "ETag": '"a"',
        header: f"{prefix}{path}",
        "Content-Length": "0",
        "X-Content-Type-Options": "nosniff",
    }
    assert body == b""


@pytest.mark.parametrize("name", ["a b.tgz", "a%2f.tgz", "a?b#c.tgz", "ü.tgz", "a\r\nX-Y: z.tgz", '"a".tgz'])
def test_path_is_fit_for_a_header(tmp_path: Path, name: str) -> None:
    """Whatever the folder of a store is called: encoded as in a URL."""
    path = kept(tmp_path, f"{name}/a.tgz")
    with path.open("rb") as stream:
        value = sent(Response(200, [], File(stream, 7)), tmp_path / name)[0]["X-Accel-Redirect"]
    assert value.isascii()
    assert value.isprintable()
    assert not set(' ?#"') & set(value)
    assert unquote(value) == f"/.nproxy-files{path}"


def outside(folder: Path) -> Response:
    return Response(200, [], File(kept(folder.parent).open("rb"), 7))


def beside(folder: Path) -> Response:
    return Response(200, [], File(kept(folder.with_name("kept-not")).open("rb"), 7))


def in_memory(folder: Path) -> Response:
    return Response(200, [], File(io.BytesIO(b"tarball"), 7))


def further_on(folder: Path) -> Response:
    stream = kept(folder).open("rb")
    stream.seek(2)
    return Response(200, [], File(stream, 5))


def longer(folder: Path) -> Response:
    kept(folder).write_bytes(b"tarball and more")
    return Response(200, [], File((folder / "a.tgz").open("rb"), 7))


def not_found(folder: Path) -> Response:
    return Response(404, [], File(kept(folder).open("rb"), 7))


def plain(folder: Path) -> Response:
    return Response(200, [], b"tarball")


@pytest.mark.parametrize("made", [outside, beside, in_memory, further_on, longer, not_found, plain])
def test_everything_else_is_sent_as_ever(folder: Path, made: Any) -> None:
    """Files of others, parts, and what is no file."""
    headers, body = sent(made(folder), folder)
    assert "X-Accel-Redirect" not in headers
    assert body.startswith((b"tarball", b"rball"))


def test_head_has_the_length_of_the_file(folder: Path) -> None:
    """It is answered here, with the headers of GET."""
    with kept(folder).open("rb") as stream:
        headers, body = sent(Response(200, [], File(stream, 7)), folder, method="HEAD")
    assert (headers["Content-Length"], body) == ("7", b"")
    assert "X-Accel-Redirect" not in headers


def test_without_the_layer_no_header_of_a_client_does_anything(folder: Path) -> None:
    """What other frameworks let a proxy say by headers."""
    given: dict[str, str] = {}
    environ = {"REQUEST_METHOD": "GET", "HTTP_X_SENDFILE_TYPE": "X-Sendfile", "HTTP_X_ACCEL_MAPPING": "/=/x"}
    with kept(folder).open("rb") as stream:
        response = Response(200, [], File(stream, 7))
        body = send(environ, lambda status, headers: given.update(headers), response)  # type: ignore[arg-type, return-value]
        assert b"".join(body) == b"tarball"
    assert not {"X-Sendfile", "X-Accel-Redirect"} & given.keys()


def test_way_that_is_none_is_refused() -> None:
    """At composition."""
    with pytest.raises(ValueError, match="'x-accel-redirect' or 'x-sendfile', not 'nginx'"):
        SendFiles(lambda environ, start: [], how="nginx", folders=[])


def test_registry_has_the_option(tmp_path: Path) -> None:
    """Its tarballs are named; what is made in memory is sent."""
    store = str(tmp_path / "store")
    application = registry(store, internal_scopes=["@acme"], send_files="x-sendfile")
    organization = organization_at(store)
    publish(organization, "@acme/utils", "1.0.0")
    token = organization.tokens.create("ann", ["proxy"], actor=ACTOR)[0]
    client = Client(application, token=token)
    tarball = client.ask("GET", "/@acme/utils/-/utils-1.0.0.tgz")
    assert (tarball.status, tarball.body) == (200, b"")
    assert Path(tarball.headers["x-sendfile"]).read_bytes().startswith(b"\x1f\x8b")
    packument = client.ask("GET", "/@acme%2futils")
    assert "1.0.0" in packument.json["versions"]
    assert "x-sendfile" not in packument.headers
    part = client.ask("GET", "/@acme/utils/-/utils-1.0.0.tgz", Range="bytes=0-1")
    assert (part.status, part.body) == (206, b"\x1f\x8b")


def test_registry_in_memory_sends_itself() -> None:
    """The option stands, and there is no file that another server could send."""
    organization = organization_at("memory://send-files")
    publish(organization, "@acme/utils", "1.0.0")
    token = organization.tokens.create("ann", ["proxy"], actor=ACTOR)[0]
    application = registry(organization, internal_scopes=["@acme"], send_files="x-accel-redirect")
    assert Client(application, token=token).ask("GET", "/@acme/utils/-/utils-1.0.0.tgz").body.startswith(b"\x1f\x8b")
