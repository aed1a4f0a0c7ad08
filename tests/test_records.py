"""The stored record of a package."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.packages.record import FORMAT, Record, decode, encode
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.parts import PartRef

texts = st.text('abc@/-1.é"', max_size=8)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
refs = st.lists(st.builds(PartRef, texts, st.integers(0, 9), st.integers(0, 9), texts), max_size=2).map(tuple)
records = st.builds(
    Record,
    packument=st.none() | st.dictionaries(texts, jsons, max_size=4),
    tarballs=st.dictionaries(texts, st.fixed_dictionaries({"key": texts, "size": st.integers(0, 99)}), max_size=3),
    retired=st.frozensets(texts, max_size=4),
    chain=st.lists(st.dictionaries(texts, jsons, max_size=3), max_size=3),
    generation=st.integers(0, 10**6),
    nonce=texts,
    unknown=st.dictionaries(st.sampled_from(["later", "added"]), jsons),
    version_parts=refs,
    event_parts=refs,
)


@given(records)
def test_record_survives_being_stored(record):
    """What is read is what was written, unknown fields of the packument included."""
    assert decode(encode(record)) == record


@given(records)
def test_encoding_is_one_line_that_names_its_format(record):
    """A stored record can be looked at with ordinary tools."""
    data = encode(record)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    assert orjson.loads(data)["format"] == (FORMAT if record.parts else 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no format"),
        pytest.param(encode(Record()).replace(b'"format":1', b'"format":3'), id="a later format"),
        pytest.param(encode(Record()).replace(b'"nonce"', b'"once"'), id="a part missing"),
        pytest.param(encode(Record()).replace(b'"burnt":[]', b'"burnt":1'), id="a part of another type"),
        pytest.param(encode(Record(event_parts=[PartRef("k", 1, 1)])).replace(b"1,", b'"",'), id="a damaged part"),
    ],
)
def test_what_is_no_record_is_refused(data):
    """A record of another version or a damaged one is never taken for an empty package."""
    with pytest.raises(UnreadableObject) as caught:
        decode(data)
    assert caught.value.code == ("newer-object" if b'"format":3' in data else "damaged-object")


def test_next_state_is_another():
    """Each state has the next generation and the nonce of its change: equal contents, another revision."""
    first = Record(nonce="x")
    second, third = first.next(first, [], "y"), first.next(first, [], "z")
    assert [record.revision for record in (first, second, third)] == ["0-x", "1-y", "1-z"]


def test_stored_and_retired_numbers_are_unavailable():
    """Neither can be published again."""
    record = Record(tarballs={"1.0.0": {"key": "a", "size": 1}}, retired=frozenset({"0.9.0"}))
    assert record.unavailable == {"1.0.0", "0.9.0"}
    assert record.files == {"a"}
