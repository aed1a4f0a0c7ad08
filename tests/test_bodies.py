"""Request bodies: counted, bounded on both sides of their encoding, never taken for whole when they are cut."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.costs import least_memory

from nproxy_mw.errors import BadRequest, LengthRequired, PayloadTooLarge
from nproxy_mw.http import bodies
from nproxy_mw.http.bodies import (
    CHUNK,
    LINGER,
    PUBLISH_LIMIT,
    CountedInput,
    content_length,
    count_input,
    drain,
    finish,
    read_body,
)

LIMIT = PUBLISH_LIMIT


class Zeros(io.RawIOBase):
    """A long body that takes no memory, and tells how much of it was read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.left = self.size = size

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "a body is read in pieces"
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)

    @property
    def taken(self) -> int:
        return self.size - self.left


class Dripping(io.BytesIO):
    """A server that hands over a few bytes at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(7, size or 0))


def by_length(source, length):
    return {"wsgi.input": source, "CONTENT_LENGTH": str(length)}


def chunked(source):
    return {"wsgi.input": source, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}


def counted(environ):
    count_input(environ)
    return environ


def zeros_gzipped(size: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=1) as file:
        for _ in range(size // CHUNK):
            file.write(bytes(CHUNK))
        file.write(bytes(size % CHUNK))
    return out.getvalue()


@pytest.mark.parametrize(
    ("extra", "passes"), [pytest.param(0, True, id="exactly the limit"), pytest.param(1, False, id="one byte more")]
)
@pytest.mark.parametrize("form", ["length", "chunked", "gzip", "gzip chunked"])
def test_limit_is_exact(form, extra, passes):
    """52,428,800 bytes pass and one more is 413: by Content-Length, in chunks, and after gzip is undone."""
    size = LIMIT + extra
    if form == "length":
        environ = by_length(Zeros(size), size)
    elif form == "chunked":
        environ = chunked(Zeros(size))
    else:
        data = zeros_gzipped(size)
        assert len(data) < LIMIT // 100
        environ = chunked(io.BytesIO(data)) if "chunked" in form else by_length(io.BytesIO(data), len(data))
        environ["HTTP_CONTENT_ENCODING"] = "gzip"
    if passes:
        assert len(read_body(counted(environ), LIMIT)) == LIMIT
        return
    with pytest.raises(PayloadTooLarge, match=r"50 MB \(52428800 bytes\).* about 37 MB"):
        read_body(counted(environ), LIMIT)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_announced_length_is_refused_before_the_first_byte(encoding):
    """What is announced too long is not read, compressed or not."""
    source = Zeros(LIMIT + 1)
    with pytest.raises(PayloadTooLarge):
        read_body({**by_length(source, LIMIT + 1), "HTTP_CONTENT_ENCODING": encoding}, LIMIT)
    assert source.taken == 0


def test_compressed_side_is_bounded_too():
    """A body that never inflates to anything is still bounded: gzip can hold empty blocks without end."""
    flushes = zlib.compressobj(wbits=31)
    data = b"".join(flushes.compress(b"x") + flushes.flush(zlib.Z_FULL_FLUSH) for _ in range(200))
    with pytest.raises(PayloadTooLarge):
        read_body({**chunked(io.BytesIO(data)), "HTTP_CONTENT_ENCODING": "gzip"}, 250)


def test_other_limits_say_their_own_number():
    """A dist-tag is no publish: its 413 does not speak of tarballs."""
    with pytest.raises(PayloadTooLarge, match=r"^The request body is larger than 4096 bytes\.$"):
        read_body(by_length(Zeros(5000), 5000), 4096)


def test_bomb_is_never_inflated_at_once():
    """A body that inflates a thousandfold stops at the limit, with no more memory than that."""
    bomb, bound = zeros_gzipped(64 * 2**20), 6 * 2**20

    def refuse():
        with pytest.raises(PayloadTooLarge):
            read_body({**chunked(io.BytesIO(bomb)), "HTTP_CONTENT_ENCODING": "gzip"}, 2**20)

    assert least_memory(refuse, bound) < bound


@pytest.mark.parametrize("source", [io.BytesIO, Dripping], ids=["whole", "dripping"])
@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "GZIP ", "x-gzip", "deflate"])
def test_body_comes_whole(encoding, source):
    """However the server hands it over and the client encoded it, the body is the body."""
    body = bytes(range(256)) * 700
    sent = {"": body, "identity": body, "deflate": zlib.compress(body)}.get(encoding, gzip.compress(body))
    environ = {"HTTP_CONTENT_ENCODING": encoding}
    assert read_body(counted({**by_length(source(sent), len(sent)), **environ}), LIMIT) == body
    assert read_body(counted({**chunked(source(sent)), **environ}), LIMIT) == body
    assert read_body({**by_length(source(sent), len(sent)), **environ}, LIMIT) == body


@given(st.binary(max_size=3000), st.integers(1, 4000))
def test_inflated_body_is_what_was_deflated(body, limit):
    """Over the limit or whole: no third thing."""
    sent = gzip.compress(body)
    environ = {**by_length(io.BytesIO(sent), len(sent)), "HTTP_CONTENT_ENCODING": "gzip"}
    try:
        assert read_body(environ, limit) == body
    except PayloadTooLarge:
        assert max(len(body), len(sent)) > limit


class Breaking(io.BytesIO):
    """A connection that breaks after what it holds."""

    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise self.error
        return data


GZIPPED = gzip.compress(bytes(range(256)))


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param(by_length(io.BytesIO(b"four"), 10), id="ends early"),
        pytest.param(by_length(Breaking(b"four", OSError("reset")), 10), id="breaks"),
        pytest.param(chunked(Breaking(b"four", OSError("no more data"))), id="breaks in chunks"),
        pytest.param(chunked(Breaking(b"four", ValueError("chunk"))), id="broken chunk"),
        pytest.param(
            {**by_length(io.BytesIO(GZIPPED[:-5]), len(GZIPPED) - 5), "HTTP_CONTENT_ENCODING": "gzip"}, id="gzip cut"
        ),
        pytest.param({**chunked(io.BytesIO(b"")), "HTTP_CONTENT_ENCODING": "gzip"}, id="no gzip at all"),
    ],
)
def test_cut_body_is_400(environ):
    """Half a body is never taken for a body."""
    with pytest.raises(BadRequest) as caught:
        read_body(counted(environ), LIMIT)
    assert caught.value.code == "body-cut-short"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", b"{}", id="not gzip"),
        pytest.param("gzip", GZIPPED[:20] + b"\0\0\0" + GZIPPED[23:], id="damaged"),
        pytest.param("gzip", GZIPPED + b"x", id="something behind"),
        pytest.param("gzip", GZIPPED + GZIPPED, id="two members"),
        pytest.param("br", b"{}", id="br"),
        pytest.param("gzip, gzip", gzip.compress(GZIPPED), id="twice"),
        pytest.param("zstd", b"{}", id="zstd"),
    ],
)
def test_encoding_that_does_not_hold_is_400(encoding, body):
    """What is not as its Content-Encoding says is refused."""
    for source in (io.BytesIO(body), Dripping(body)):
        with pytest.raises(BadRequest):
            read_body({**by_length(source, len(body)), "HTTP_CONTENT_ENCODING": encoding}, LIMIT)


@pytest.mark.parametrize(
    ("environ", "length"),
    [
        pytest.param({}, 0, id="none"),
        pytest.param({"CONTENT_LENGTH": ""}, 0, id="empty, as PEP 3333 allows"),
        pytest.param({"CONTENT_LENGTH": "12"}, 12, id="number"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, None, id="chunked"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "identity", "CONTENT_LENGTH": "1"}, 1, id="identity"),
    ],
)
def test_content_length(environ, length):
    """0 without a body, None for one that ends by itself."""
    assert content_length(environ) == length


def test_chunked_body_that_is_not_handed_over_is_411():
    """A server without wsgi.input_terminated would hand over an empty body as if it were the client's."""
    with pytest.raises(LengthRequired):
        content_length({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO()})


@pytest.mark.parametrize("text", ["-1", "+1", "1_000", "0x10", "1.0", "²", " 5", "a", "9" * 19, "1" * 5000])
def test_content_length_that_is_no_number_is_400(text):
    """Two readers of a strange number would not agree where the body ends."""
    with pytest.raises(BadRequest):
        content_length({"CONTENT_LENGTH": text})


def test_counted_input_stops_where_the_body_does():
    """Nothing reads into the next request, by whatever method of a file."""
    for read in (lambda file: file.read(), lambda file: file.read(100), lambda file: file.readline()):
        assert read(counted(by_length(io.BytesIO(b"bodyNEXT"), 4))["wsgi.input"]) == b"body"


def test_counted_input_asks_no_more_after_the_end():
    """A server is not asked again after it said that there is nothing: some would wait for the client."""
    source = Breaking(b"", OSError("asked again"))
    assert CountedInput(source, 0).readinto(bytearray(10)) == 0
    ended = CountedInput(io.BytesIO(b""), None)
    assert (ended.readinto(bytearray(10)), ended.is_at_end) == (0, True)
    ended.source = source
    assert ended.readinto(bytearray(10)) == 0


def test_drain_reads_what_is_left():
    """After half a body the other half is thrown away."""
    environ = by_length(Zeros(10 * CHUNK), 10 * CHUNK)
    input_ = count_input(environ)
    assert input_ is not None
    environ["wsgi.input"].read(CHUNK)
    drain(input_)
    assert input_.remaining == 0


def test_little_is_read_of_what_a_stranger_sends():
    """A megabyte of a body that nobody let in."""
    input_ = count_input(by_length(Zeros(10_000_000), 10_000_000))
    drain(input_, stranger=True)
    assert 10_000_000 - input_.remaining == 1024 * 1024
    drain(input_)
    assert input_.remaining == 0


def test_strangers_time_is_short(monkeypatch):
    """It is over before the body of one who is known would be."""
    monkeypatch.setattr(bodies, "STRANGER_DRAIN_SECONDS", -1.0)
    input_ = count_input(by_length(Zeros(CHUNK), CHUNK))
    drain(input_, stranger=True)
    assert input_.remaining == CHUNK


@pytest.mark.parametrize(("stranger", "asked"), [(False, 1), (True, 0)])
def test_server_that_can_takes_the_rest_by_itself(stranger, asked):
    """No thread reads it; and the server takes little from a stranger."""
    calls = []
    environ = by_length(Zeros(CHUNK), CHUNK)
    input_ = count_input(environ)
    finish({**environ, LINGER: lambda: calls.append(1)}, input_, stranger=stranger)
    assert (input_.remaining, len(calls)) == (CHUNK, asked)


def test_server_that_cannot_has_the_rest_read():
    """Before the answer."""
    environ = by_length(Zeros(CHUNK), CHUNK)
    input_ = count_input(environ)
    finish(environ, input_, stranger=True)
    assert input_.remaining == 0


def test_reading_the_limit_takes_the_memory_of_one_body():
    """A body at the limit is held once, and never copied whole."""
    bound = 1.3 * LIMIT
    assert least_memory(lambda: read_body(counted(by_length(Zeros(LIMIT), LIMIT)), LIMIT), bound) < bound
