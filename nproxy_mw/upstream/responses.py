"""What the upstream answers: a status, headers, and a body that is streamed or read, never held by accident."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.http.compressing import gunzipped
from nproxy_mw.http.inflating import ENCODINGS, CutShort, InflateError, TrailingBytes, inflated
from nproxy_mw.http.messages import Headers

CHUNK = 64 * 1024  # bytes

_VALIDATOR = re.compile(r"[ -~]{1,200}", re.ASCII)
_PLAIN = frozenset({"", "identity"})


class UnusableAnswer(UpstreamUnavailable):
    """502: the upstream answered, and not with what its protocol promises. It says nothing about other packages."""


class UpstreamResponse:
    """One answer of the upstream: its status, its headers, and a body that is read once, then closed.

    *chunks* is called with a size and returns the raw body in pieces of at most that many bytes. *release* gives the
    connection back, *drop* ends it; if *drop* is None, *release* does both. A stand-in for tests is
    ``UpstreamResponse(200, [], lambda size: iter([b"..."]))``.

    As a context manager it is closed at the end of the block, and its connection ended when an error leaves the block:
    an answer that was not what had been asked for is no reason to trust the next one.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        chunks: Callable[[int], Iterator[bytes]],
        release: Callable[[], None] = lambda: None,
        drop: Callable[[], None] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._by_name = {name.lower(): value for name, value in reversed(headers)}  # of several, the first one
        self._chunks = chunks
        self._release = release
        self._drop = drop or release

    def header(self, name: str) -> str:
        """Returns the first header of that name in any case, or the empty string."""
        return self._by_name.get(name.lower(), "")

    def validator(self, name: str) -> str:
        """Returns the header *name* (``etag``, ``last-modified``); empty when it is missing, long or no plain text."""
        value = self.header(name)
        return value if _VALIDATOR.fullmatch(value) else ""

    @property
    def is_encoded(self) -> bool:
        """Whether a Content-Encoding says that the body is not what it stands for."""
        return self._encoding not in _PLAIN

    def stream(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """Returns the body as it came, undecoded.

        Raises:
            UpstreamUnavailable: it broke off, or ended before its Content-Length.
            UpstreamTimeout: the next piece did not come in time.
        """
        return self._chunks(chunk)

    def read(self, limit: int) -> bytes:
        """Returns the whole body, its Content-Encoding undone; *limit* bounds the bytes before and after that.

        Raises:
            UpstreamUnavailable: it is longer than *limit*, broke off, or is not what its Content-Encoding says.
            UpstreamTimeout: see `stream`.
        """
        return self.read_both(limit)[0]

    def read_both(self, limit: int) -> tuple[bytes, bytes | None]:
        """Returns the whole body, and its gzipped form if it came so. *limit* and errors are as for `read`."""
        if self._encoding not in _PLAIN | ENCODINGS:
            raise UnusableAnswer("The upstream registry answered in an encoding that was not asked for.")
        raw = _bounded(self.stream(), limit)
        if self._encoding in _PLAIN:
            return raw, None
        whole = gunzipped(raw, limit) if self._encoding != "deflate" else None
        if whole is not None:
            return whole, raw
        # It is broken, or unusual: read piece by piece, so that it can be said what is wrong.
        return _bounded(inflated_answer(iter([raw])), limit), raw if self._encoding != "deflate" else None

    def close(self) -> None:
        """Gives the connection back, or ends it when too much of the body is unread. May be called twice."""
        self._release()

    def drop(self) -> None:
        """Ends the connection: the answer is not to be trusted. May be called twice, and after `close`."""
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.drop()

    @property
    def _encoding(self) -> str:
        return self.header("content-encoding").strip().lower()


def inflated_answer(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields what an encoded body holds, in pieces.

    Raises:
        UpstreamUnavailable: it is not encoded as it says, or breaks off.
    """
    try:
        yield from inflated(chunks)
    except TrailingBytes:
        return  # all of the answer came; what follows it is of no interest
    except CutShort as error:
        raise UpstreamUnavailable("The upstream registry's answer broke off.") from error
    except InflateError as error:
        raise UnusableAnswer("The upstream registry's answer is not what its encoding says.") from error


def _bounded(chunks: Iterator[bytes], limit: int) -> bytes:
    pieces, size = [], 0
    for piece in chunks:
        size += len(piece)
        if size > limit:
            raise UnusableAnswer("The upstream registry's answer is larger than this registry reads.")
        pieces.append(piece)
    return b"".join(pieces)
