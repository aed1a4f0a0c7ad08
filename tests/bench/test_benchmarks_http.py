"""The small HTTP client: what it sends, and what it reads from pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import MeasureFailed
from benchmarks.http.messages import MAX_HEAD, Request, ResponseReader

WIRE = {
    "length": (b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\n\r\nhello', 200, b"hello"),
    "chunks": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n",
        200,
        b"hello",
    ),
    "no body": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    "empty": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, b""),
}


def feed(reader, data, cuts=()):
    """Feeds *data* in pieces; all responses."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    return [response for response in map(reader.feed, pieces) if response is not None]


@pytest.mark.parametrize(("data", "status", "body"), WIRE.values(), ids=WIRE)
@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_responses_are_read_from_any_pieces(data, status, body, cuts):
    """Where a response is cut makes no difference, and two on one connection are two."""
    reader = ResponseReader()
    for _ in range(2):
        (response,) = feed(reader, data, cuts)
        assert (response.status, response.body, response.size) == (status, body, len(body))
    assert reader.is_empty


@pytest.mark.parametrize(("data", "status", "body"), WIRE.values(), ids=WIRE)
def test_bodies_can_be_counted_only(data, status, body):
    """The size is the same, the body is not kept."""
    (response,) = feed(ResponseReader(is_counting=True), data, [40, 70])
    assert (response.status, response.body, response.size) == (status, b"", len(body))


def test_a_body_can_end_with_the_connection():
    """A response without a length is complete when the connection ends."""
    reader = ResponseReader()
    assert feed(reader, b"HTTP/1.1 200 OK\r\n\r\nhel", [5]) == []
    assert reader.feed(b"lo") is None
    response = reader.end()
    assert response is not None
    assert response.body == b"hello"


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200", WIRE["length"][0][:-1], WIRE["chunks"][0][:-3]])
def test_a_cut_response_is_none(data):
    """What ends too early is not taken for a response."""
    reader = ResponseReader()
    assert reader.feed(data) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n" + b"x",
        b"x" * (MAX_HEAD + 1),
    ],
    ids=["not HTTP", "no status", "no header", "negative", "no chunk", "too large", "too long"],
)
def test_what_is_not_http_fails(data):
    """A measurement of garbage is no measurement."""
    with pytest.raises(MeasureFailed):
        ResponseReader().feed(data)


def test_a_request_is_written():
    """Headers are as given; a body has its length."""
    sent = Request("/@open%2fone", {"accept": "*/*"}, "PUT", b"{}").encode("127.0.0.1:1")
    assert sent == b"PUT /@open%2fone HTTP/1.1\r\nhost: 127.0.0.1:1\r\naccept: */*\r\ncontent-length: 2\r\n\r\n{}"
