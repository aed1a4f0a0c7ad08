"""Tarballs as answers: whole, in part, or as the client has them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from support.client import Client

from nproxy_mw.errors import RangeNotSatisfiable
from nproxy_mw.http import messages
from nproxy_mw.http.messages import send
from nproxy_mw.http.tarballs import tarball_response
from nproxy_mw.npm.documents import Blob, ByteRange, Part

DATA = b"0123456789"
ETAG = '"sha512-x"'


class Opened:
    """Tarballs that remember how they were opened and closed."""

    def __init__(self, **known: Any) -> None:
        self.known = known
        self.asked: list[ByteRange | None] = []
        self.open = 0

    def __call__(self, part: ByteRange | None) -> Blob:
        self.asked.append(part)
        self.open += 1
        if part is None:
            return Blob(iter([DATA]), size=len(DATA), close=self.close, **self.known)
        found = part.within(len(DATA))
        if found is None:
            raise RangeNotSatisfiable("No such range.", content_range=f"bytes */{len(DATA)}")
        first, last = found
        body = DATA[first : last + 1]
        return Blob(iter([body]), size=len(body), part=Part(first, last, len(DATA)), close=self.close, **self.known)

    def close(self) -> None:
        self.open -= 1

    @property
    def client(self) -> Client:
        return Client(lambda environ, start: send(environ, start, tarball_response(environ, self)))


def test_whole_tarball_has_the_headers_of_every_tarball() -> None:
    """No browser runs it, no shared cache keeps it, a client may keep it for good."""
    opened = Opened(integrity="sha512-x")
    response = opened.client.get("/")
    assert (response.status, response.body, opened.open) == (200, DATA, 0)
    assert response.headers == {
        "content-type": "application/octet-stream",
        "cache-control": "private, max-age=31536000, immutable",
        "content-security-policy": "sandbox",
        "accept-ranges": "bytes",
        "etag": ETAG,
        "content-length": "10",
        "x-content-type-options": "nosniff",
    }
    head = opened.client.head("/")
    assert (head.headers, head.body, opened.open) == (response.headers, b"", 0)


def test_file_is_handed_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that can send a file by themselves get one that is not small."""
    monkeypatch.setattr(messages, "ONE_PIECE", 0)
    file = io.BytesIO(DATA)
    wrapped: list[Any] = []

    def file_wrapper(stream: Any, size: int) -> Any:
        wrapped.append(stream)
        return iter([stream.read()])

    def respond(environ: Any, start: Any) -> Any:
        blob = Blob(iter([]), size=len(DATA), file=file, close=file.close)
        return send(environ, start, tarball_response(environ, lambda part: blob))

    response = Client(respond).get("/", environ={"wsgi.file_wrapper": file_wrapper})
    assert (response.body, wrapped) == (DATA, [file])


@pytest.mark.parametrize(
    ("header", "body", "content_range"),
    [
        ("bytes=2-5", b"2345", "bytes 2-5/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=0-99", DATA, "bytes 0-9/10"),
    ],
)
def test_part_is_answered_with_206(header: str, body: bytes, content_range: str) -> None:
    """And tells where it lies."""
    opened = Opened(integrity="sha512-x")
    response = opened.client.get("/", Range=header)
    assert (response.status, response.body, response.headers["content-range"]) == (206, body, content_range)
    assert opened.open == 0


@pytest.mark.parametrize("header", ["bytes=0-1,3-4", "x", "bytes=" + "1" * 3000 + "-"])
def test_range_that_is_not_understood_is_the_whole(header: str) -> None:
    """Several would come in an envelope that is no tarball."""
    assert Opened().client.get("/", Range=header).body == DATA


@pytest.mark.parametrize(
    ("condition", "status"),
    [(ETAG, 206), ("Wed, 21 Oct 2026 07:28:00 GMT", 206), ('"another"', 200), ("Thu, 22 Oct 2026 07:28:00 GMT", 200)],
)
def test_part_belongs_to_the_tarball_that_the_client_has(condition: str, status: int) -> None:
    """If-Range names it; else the whole is sent."""
    opened = Opened(integrity="sha512-x", last_modified="Wed, 21 Oct 2026 07:28:00 GMT")
    assert opened.client.get("/", Range="bytes=2-5", If_Range=condition).status == status
    assert opened.open == 0


@pytest.mark.parametrize(
    ("known", "headers", "status"),
    [
        ({"integrity": "sha512-x"}, {"If_None_Match": ETAG}, 304),
        ({"integrity": "sha512-x", "etag": '"y"'}, {"If_None_Match": '"y"'}, 200),
        ({"etag": '"y"'}, {"If_None_Match": 'W/"y", "z"'}, 304),
        ({}, {"If_None_Match": '"y"'}, 200),
        ({"last_modified": "Wed"}, {"If_Modified_Since": "Wed"}, 304),
        ({"last_modified": "Wed"}, {"If_Modified_Since": "Thu"}, 200),
        ({"last_modified": "Wed", "etag": '"y"'}, {"If_Modified_Since": "Wed", "If_None_Match": '"z"'}, 200),
        ({}, {"If_Modified_Since": "Wed"}, 200),
        ({"integrity": "sha512-x"}, {"If_None_Match": ETAG, "Range": "bytes=0-1"}, 304),
    ],
)
def test_client_that_has_it_is_told_so(known: dict[str, str], headers: dict[str, str], status: int) -> None:
    """By its integrity where that is known, else by what its source calls it."""
    opened = Opened(**known)
    response = opened.client.get("/", **headers)
    assert (response.status, opened.open) == (status, 0)
    if status == 304:
        assert response.headers["cache-control"].endswith("immutable")


def test_tarball_of_unknown_length_has_none() -> None:
    """The server then marks its end."""
    blob = Blob(iter([DATA]))
    response = tarball_response({}, lambda part: blob)
    assert "Content-Length" not in dict(response.headers)
    assert response.body is blob
