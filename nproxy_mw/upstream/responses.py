"""What the upstream answers: a status, headers, and a body that is streamed or read, never held by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.http.inflating import ENCODINGS, CutShort, InflateError, TrailingBytes, inflated

Headers = Sequence[tuple[str, str]]

CHUNK = 64 * 1024  # bytes


class UpstreamResponse:
    """One answer of the upstream: its status, its headers, and a body that is read once, then closed.

    *chunks* is called with a size and answers the raw body in pieces of at most that many bytes; *release* gives the
    connection back. A stand-in for tests is ``Answer(200, [], lambda size: iter([b"..."]))``.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        chunks: Callable[[int], Iterator[bytes]],
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks
        self._release = release

    def header(self, name: str) -> str:
        """The first header of that name in any case, or the empty string."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def stream(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """The body as it came, undecoded.

        Raises:
            UpstreamUnavailable: it broke off, or ended before its Content-Length.
            UpstreamTimeout: the next piece did not come in time.
        """
        return self._chunks(chunk)

    def read(self, limit: int) -> bytes:
        """The whole body, its Content-Encoding undone; *limit* bounds the bytes before and after that.

        Raises:
            UpstreamUnavailable: it is longer than *limit*, broke off, or is not what its Content-Encoding says.
            UpstreamTimeout: see `stream`.
        """
        encoding = self.header("content-encoding").strip().lower()
        chunks = self.stream()
        if encoding in ENCODINGS:
            chunks = _inflated(chunks)
        elif encoding not in ("", "identity"):
            raise UpstreamUnavailable("The upstream registry answered in an encoding that was not asked for.")
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > limit:
                raise UpstreamUnavailable("The upstream registry's answer is larger than this registry reads.")
        return bytes(body)

    def close(self) -> None:
        """Gives the connection back, or ends it when too much of the body is unread. May be called twice."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from inflated(chunks)
    except TrailingBytes:
        return  # all of the answer came; what follows it is of no interest
    except CutShort as error:
        raise UpstreamUnavailable("The upstream registry's answer broke off.") from error
    except InflateError as error:
        raise UpstreamUnavailable("The upstream registry's answer is not what its encoding says.") from error
