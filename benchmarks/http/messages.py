"""HTTP/1.1 as bytes, without I/O (RFC 9112): requests are written, responses are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.errors import MeasureFailed

MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024
_BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. *target* is the path as it goes over the wire, percent-encoded."""

    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    def encode(self, host: str) -> bytes:
        """Returns the request as it is sent to *host*."""
        length = {"content-length": str(len(self.body))} if self.body else {}
        fields = {"host": host, **self.headers, **length}
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """What comes back. Names of headers are in lower case; the content coding of the body is left as it is.

    *size* is the bytes of the body, also when they were only counted.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # asyncio writes down the results of futures, and 40 MB take seconds
    size: int


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """Returns the start line and the headers, their names in lower case, of a message's *head*.

    Raises:
        MeasureFailed: a line is not a header.
    """
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise MeasureFailed(f"The server sent a header that is none: {line[:60]!r}.")
        headers[name.strip().lower()] = value.strip()
    return start, headers


def _status(start: str) -> int:
    parts = start.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdecimal():
        raise MeasureFailed(f"The server sent a status line that is none: {start[:60]!r}.")
    return int(parts[1])


class ResponseReader:
    """Reads the responses of one connection, one after another, from pieces of any size.

    *is_counting* leaves bodies empty and counts their bytes only, which costs a client less.
    """

    def __init__(self, *, is_counting: bool = False) -> None:
        self.is_counting = is_counting
        self._buffer = bytearray()
        self._head: tuple[int, dict[str, str]] | None = None
        self._body = bytearray()
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the next response has come yet."""
        return self._head is None and not self._buffer

    def feed(self, data: bytes) -> Response | None:
        """Takes the next piece, and returns a response once it is complete.

        Raises:
            MeasureFailed: it is not HTTP, or larger than `MAX_HEAD` or `MAX_BODY`.
        """
        self._buffer += data
        self._head = self._head or self._read_head()
        return self._finish(self._head, is_end=False) if self._head else None

    def end(self) -> Response | None:
        """Returns the response that ends with the connection, if there is one."""
        return self._finish(self._head, is_end=True) if self._head else None

    def _read_head(self) -> tuple[int, dict[str, str]] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if (end if end >= 0 else len(self._buffer)) > MAX_HEAD:
            raise MeasureFailed("The server sent more headers than can be right.")
        if end < 0:
            return None
        start, headers = parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        return _status(start), headers

    def _finish(self, head: tuple[int, dict[str, str]], *, is_end: bool) -> Response | None:
        status, headers = head
        if not self._read_body(status, headers, is_end=is_end):
            return None
        response = Response(status, headers, bytes(self._body), self._size)
        self._head, self._body, self._size = None, bytearray(), 0
        return response

    def _read_body(self, status: int, headers: Mapping[str, str], *, is_end: bool) -> bool:
        """Takes what has come of the body. Returns whether that is all."""
        if self._size + len(self._buffer) > MAX_BODY:
            raise MeasureFailed("The server sent a larger body than can be right.")
        if status in _BODILESS:
            return True
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = _length(headers)
        self._take(len(self._buffer) if length is None else min(length - self._size, len(self._buffer)))
        return is_end if length is None else self._size == length

    def _read_chunks(self) -> bool:
        while (line := self._buffer.find(b"\r\n")) >= 0:
            size = _chunk_size(bytes(self._buffer[:line]))
            if len(self._buffer) < line + 2 + size + 2:
                return False
            del self._buffer[: line + 2]
            self._take(size)
            del self._buffer[:2]
            if not size:
                return True
        return False

    def _take(self, size: int) -> None:
        """Moves bytes from the buffer to the body."""
        if not self.is_counting:
            self._body += self._buffer[:size]
        self._size += size
        del self._buffer[:size]


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is not None and not (text.isascii() and text.isdecimal()):
        raise MeasureFailed(f"The server sent a Content-Length that is none: {text[:60]!r}.")
    length = None if text is None else int(text)
    if length is not None and length > MAX_BODY:
        raise MeasureFailed("The server announced a larger body than can be right.")
    return length


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise MeasureFailed(f"The server sent a chunk size that is none: {line[:60]!r}.")
    return int(digits, 16)
