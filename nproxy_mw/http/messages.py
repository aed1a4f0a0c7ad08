"""Responses: what a handler returns, and the one place that sends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import orjson
from msgspec import Struct

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Headers = Sequence[tuple[str, str]]

JSON = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"
"""Media type of the abbreviated packument
(https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md)."""

PRIVATE: Headers = (("Cache-Control", "private, no-cache"), ("Vary", "Accept, Accept-Encoding, Authorization"))
"""For answers that depend on who asks: clients may keep them and ask again by ETag, shared caches may not."""

NO_STORE: Headers = (("Cache-Control", "no-store"),)
"""For answers that nobody may keep: errors, secrets, and what the management API says."""

CHUNK = 64 * 1024  # bytes

ONE_PIECE = 64 * 1024
"""Bytes of a file up to which it is read and goes out with the headers: that takes less than having it sent."""

ONE_PIECE_UNSENT = 1024 * 1024
"""The same for servers that cannot send a file without Python, such as granian: each piece takes a turn of a thread."""

SEND_FILE = "nproxy.send_file"
"""The environ key of what has the last word on a `Response` with a `File`: the layer SendFiles sets it."""

_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_WITHOUT_BODY = frozenset({204, 304})


class Stream(Protocol):
    """A body that is made while it is sent. `close` is called once, sent or not."""

    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class File(Struct, frozen=True):
    """An open file as a body, of *size* bytes: servers can send it without Python in between."""

    stream: BinaryIO
    size: int


class Response(Struct, frozen=True):
    """An answer. `send` adds Content-Length where it can, and leaves the body out where HTTP has none.

    A `Stream` brings its Content-Length among *headers* if its length is known. If *reason* is empty, the status line
    has HTTP's own reason phrase.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes | File | Stream = b""
    reason: str = ""


def json_response(document: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Returns *document* as a JSON answer."""
    return Response(status, [("Content-Type", JSON), *headers], orjson.dumps(document))


def not_modified(etag: str, headers: Headers = ()) -> Response:
    """Returns a 304: what the client has under *etag* still holds."""
    return Response(304, [("ETag", etag), *headers])


def is_head(environ: WSGIEnvironment) -> bool:
    """Returns whether only the headers were asked for."""
    return bool(environ["REQUEST_METHOD"] == "HEAD")


def is_read(environ: WSGIEnvironment) -> bool:
    """Returns whether the request is a GET or a HEAD."""
    return environ["REQUEST_METHOD"] in ("GET", "HEAD")


def send(environ: WSGIEnvironment, start_response: StartResponse, response: Response) -> Iterable[bytes]:
    """Answers *response*; to a HEAD request, its headers alone."""
    if isinstance(response.body, File) and SEND_FILE in environ and environ["REQUEST_METHOD"] != "HEAD":
        response = environ[SEND_FILE](response)
    body, headers = response.body, [*response.headers, _NOSNIFF]
    length = len(body) if isinstance(body, bytes) else body.size if isinstance(body, File) else None
    if length is not None and response.status not in _WITHOUT_BODY:
        headers.append(("Content-Length", str(length)))
    try:
        line = f"{response.status} {response.reason}" if response.reason else _STATUS_LINES[response.status]
        start_response(line, headers)
    except BaseException:
        _close(body)
        raise
    if response.status in _WITHOUT_BODY or environ["REQUEST_METHOD"] == "HEAD":
        _close(body)
        return []
    if isinstance(body, bytes):
        return [body]
    if isinstance(body, File):
        wrapper = environ.get("wsgi.file_wrapper")
        if body.size <= (ONE_PIECE if wrapper else ONE_PIECE_UNSENT):
            return [_all_of(body)]
        return (wrapper or FileChunks)(body.stream, CHUNK)
    return body


def _all_of(file: File) -> bytes:
    try:
        return file.stream.read(file.size)
    finally:
        file.stream.close()


def _close(body: bytes | File | Stream) -> None:
    if isinstance(body, File):
        body.stream.close()
    elif not isinstance(body, bytes):
        body.close()


class FileChunks:
    """An open file as a WSGI body, for servers that bring no ``wsgi.file_wrapper``."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream = stream
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.stream.read(self.size):
            yield chunk

    def close(self) -> None:
        """Closes the file. The server calls it when the client has everything, or went away."""
        self.stream.close()
