"""Content-Encoding undone in pieces: whole, or one of three errors."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.http.inflating import PIECE, CutShort, InflateError, TrailingBytes, inflated

TEXT = bytes(range(256)) * 10
GZIPPED = gzip.compress(TEXT)
DEFLATED = zlib.compress(TEXT)


def chunks_of(data: bytes, size: int):
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.binary(max_size=3000), st.integers(1, 500), st.sampled_from([gzip.compress, zlib.compress]))
def test_what_was_deflated_comes_back(data, size, deflate):
    """However it is cut, in either form."""
    assert b"".join(inflated(chunks_of(deflate(data), size))) == data


def test_pieces_are_small():
    """Some bytes that inflate a thousandfold never come at once."""
    sizes = [len(piece) for piece in inflated([gzip.compress(bytes(10 * PIECE + 1))])]
    assert sum(sizes) == 10 * PIECE + 1
    assert max(sizes) <= PIECE


@pytest.mark.parametrize("data", [GZIPPED, DEFLATED], ids=["gzip", "deflate"])
@pytest.mark.parametrize(
    ("behind", "size"),
    [
        pytest.param(b"x", 10**6, id="in the same chunk"),
        pytest.param(b"x", None, id="in a chunk of its own"),
        pytest.param(b"xy", 1, id="byte by byte"),
    ],
)
def test_bytes_behind_the_end_are_found(data, behind, size):
    """Wherever the server cuts; all that belongs to the body comes first."""
    chunks = [data, behind] if size is None else chunks_of(data + behind, size)
    pieces = []
    with pytest.raises(TrailingBytes):
        pieces.extend(inflated(chunks))
    assert b"".join(pieces) == TEXT


@pytest.mark.parametrize("data", [GZIPPED, DEFLATED], ids=["gzip", "deflate"])
@pytest.mark.parametrize("missing", [1, 4, 8, 20])
def test_cut_body_is_never_whole(data, missing):
    """Also when only the checksum at the end is missing."""
    with pytest.raises(CutShort):
        list(inflated([data[:-missing]]))


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
def test_nothing_is_cut_short(chunks):
    """An empty body is no gzip."""
    with pytest.raises(CutShort):
        list(inflated(chunks))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{}", id="not deflated"),
        pytest.param(GZIPPED[:20] + b"\0\0\0" + GZIPPED[23:], id="damaged"),
        pytest.param(GZIPPED[:-8] + bytes(8), id="another checksum"),
    ],
)
def test_what_is_not_deflated_is_an_error(data):
    """What does not hold is refused, and is neither cut nor followed by anything."""
    with pytest.raises(InflateError) as caught:
        list(inflated([data]))
    assert type(caught.value) is InflateError
