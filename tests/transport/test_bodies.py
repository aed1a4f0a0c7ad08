"""Bodies, down and up: decoded, bounded, streamed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from support.costs import least_memory
from support.wire import MIB, read, sink_and_source

from nproxy_mw.errors import BadRequest, PayloadTooLarge, UpstreamUnavailable
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Urllib3Transport


def test_read_undoes_gzip_and_bounds_it() -> None:
    """The bound is on the decompressed side: a bomb stops there."""
    packed = gzip.compress(b"x" * 3 * MIB)
    headers = [("content-encoding", "gzip")]
    assert UpstreamResponse(200, headers, lambda _: iter([packed])).read(3 * MIB) == b"x" * 3 * MIB
    with pytest.raises(UpstreamUnavailable, match="larger"):
        UpstreamResponse(200, headers, lambda _: iter([gzip.compress(b"x" * 200 * MIB, 1)])).read(MIB)
    with pytest.raises(UpstreamUnavailable, match="larger"):
        UpstreamResponse(200, [], lambda _: iter([b"x" * 600] * 2)).read(1000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("br", b"x", id="unknown"),
        pytest.param("gzip", b"x" * 100, id="not gzip"),
        pytest.param("gzip", gzip.compress(b"x" * 100)[:-9], id="cut short"),
        pytest.param("gzip", b"", id="empty"),
    ],
)
def test_broken_encodings_are_unavailable(encoding: str, body: bytes) -> None:
    """A body that is not what its encoding says is the upstream's failure."""
    with pytest.raises(UpstreamUnavailable):
        UpstreamResponse(200, [("Content-Encoding", encoding)], lambda _: iter([body])).read(MIB)


def test_stream_is_not_decoded(upstream: RecordingUpstream) -> None:
    """A server that labels a .tgz as gzip-encoded must not make its bytes change."""
    packed = gzip.compress(b"tar")
    upstream.on("GET", "/x.tgz", Reply(200, packed, {"Content-Encoding": "gzip"}))
    with Urllib3Transport(upstream.url).send("GET", "/x.tgz") as answer:
        assert b"".join(answer.stream()) == packed


@pytest.mark.parametrize("headers", [[], [("Content-Length", "10")]], ids=["chunked", "counted"])
def test_uploads_are_streamed(upstream: RecordingUpstream, headers: list[tuple[str, str]]) -> None:
    """With a length when it is known, else in chunks."""
    read(Urllib3Transport(upstream.url).send("PUT", "/x", headers, iter([b"hello", b"world"])))
    assert upstream.requests[0].body == b"helloworld"
    assert ("transfer-encoding" in upstream.requests[0].headers) is not bool(headers)


@pytest.mark.parametrize(
    ("fault", "expected"), [(OSError("gone"), BadRequest), (PayloadTooLarge("Too large."), PayloadTooLarge)]
)
def test_fault_of_the_client_is_not_the_upstreams(
    upstream: RecordingUpstream, fault: Exception, expected: type[Exception]
) -> None:
    """An upload that breaks off on the client's side is answered as that."""

    def body() -> Iterator[bytes]:
        yield b"hello"
        raise fault

    with pytest.raises(expected):
        Urllib3Transport(upstream.url).send("PUT", "/x", (), body())


def test_memory_stays_flat_while_streaming() -> None:
    """100 MiB down and 100 MiB up pass in pieces."""
    size = 100 * MIB
    with sink_and_source(size) as url:
        transport = Urllib3Transport(url)

        def both_ways() -> None:
            with transport.send("GET", "/down") as answer:
                assert sum(map(len, answer.stream())) == size
            piece = b"x" * 65536
            body = (piece for _ in range(size // len(piece)))
            read(transport.send("PUT", "/up", [("Content-Length", str(size))], body))

        assert least_memory(both_ways, 4 * MIB) < 4 * MIB
