"""JSON from clients: one reading, or a refusal."""

from __future__ import annotations

import gc
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.costs import least_memory, least_work

from nproxy_mw import json_values
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import MAX_DEPTH, MAX_DIGITS, MAX_MARKS, dumps, parse_object, parse_value

BIG = 100 * 1024  # beyond the size at which a string of base64 takes a way of its own


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b'{"a":1}{}', id="two documents"),
        pytest.param(b'{"a":1}\0', id="NUL behind"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,}', id="trailing comma"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone high surrogate"),
        pytest.param(b'{"a":"\\udc00"}', id="lone low surrogate"),
        pytest.param(b'{"\\ud800":1}', id="lone surrogate as a key"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'{"a":1e400}', id="a float that overflows"),
        pytest.param(b'{"a":' + b"9" * 100_000 + b"}", id="100,000 digits"),
        pytest.param(b'{"a":18446744073709551616}', id="2**64"),
        pytest.param(b'{"a":-9223372036854775809}', id="below -2**63"),
        pytest.param(b'{"a":[1,18446744073709551616 ]}', id="2**64 before a space"),
        pytest.param(b'{"a":0.' + b"1" * (MAX_DIGITS + 1) + b"}", id="a fraction of one digit too many"),
        pytest.param(b'{"a":0.' + b"1" * 4_000_000 + b"}", id="a fraction of 4 MB"),
        pytest.param(b"[" * 100_000, id="depth 100,000, open"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="depth 100,000"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="objects, depth 100,000"),
        pytest.param(b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), id="one level too deep"),
        pytest.param(b'{"__proto__":{}}', id="__proto__"),
        pytest.param(b'{"a":[{"__proto__":1}]}', id="__proto__ inside"),
        pytest.param(b'{"\\u005f_proto__":{}}', id="__proto__ escaped"),
        pytest.param(b'{"a":1,"a":1}', id="the same key twice"),
        pytest.param(b'{"a":{"b":1,"c":":","b":2}}', id="the same key twice inside"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="the same key twice, once escaped"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"1.0.0"', id="a string"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":' + b"[]," * MAX_MARKS + b"1}", id="very many values"),
        pytest.param(b'{"' + b"a" * BIG + b'":1}', id="a key as large as an attachment"),
        pytest.param(b'{"a":"b"' + b"a" * BIG + b'"}', id="an attachment behind a closed string"),
    ],
)
def test_parse_object_refuses_at_once(body: bytes) -> None:
    """What is not one JSON object with one reading is a 400 with a sentence, well within a second of work."""

    def refuse() -> None:
        with pytest.raises(BadRequest, match=r"^The request body .+\.$"):
            parse_object(body)

    assert least_work(refuse, 1) < 1


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', {"a": 1}, id="byte order mark"),
        pytest.param(b'{"a":18446744073709551615}', {"a": 2**64 - 1}, id="largest integer"),
        pytest.param(b'{"a":-9223372036854775808}', {"a": -(2**63)}, id="smallest integer"),
        pytest.param(b'{"a":3.14159265358979323846264}', {"a": 3.141592653589793}, id="a long fraction"),
        pytest.param(b'{"a":0.' + b"1" * MAX_DIGITS + b"}", {"a": 0.1111111111111111}, id="the longest fraction"),
        pytest.param(b'{"a":"18446744073709551616"}', {"a": "18446744073709551616"}, id="digits in a string"),
        pytest.param(b'{"constructor":{"a:b":"\\":"}}', {"constructor": {"a:b": '":'}}, id="colons in strings"),
        pytest.param(b'{"a":1,"A":2}', {"a": 1, "A": 2}, id="keys that differ in case"),
        pytest.param(b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}, id="one key in two objects"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}, id="a pair of surrogates"),
        pytest.param(b'{"a":"\\u0000"}', {"a": "\0"}, id="NUL"),
        pytest.param(b'{"a":' * 100 + b"1" + b"}" * 100, None, id="as deep as may be"),
    ],
)
def test_parse_object_reads_what_is_plain(body: bytes, value: Any) -> None:
    """A plain document is read whole, from any kind of bytes."""
    expected = json.loads(body.removeprefix(b"\xef\xbb\xbf")) if value is None else value
    assert parse_object(body) == parse_object(bytearray(body)) == parse_object(memoryview(body)) == expected


def test_parse_value_reads_a_string() -> None:
    """The body that sets a dist-tag is a JSON string."""
    assert parse_value(b' "1.0.0"\n') == "1.0.0"


@pytest.mark.parametrize("quote", [b"", b'\\"', b"\\\\", b" "])
def test_parse_value_reads_long_strings_as_short_ones(quote: bytes) -> None:
    """A string of base64 that is cut out for its size comes back as it was, wherever it stands."""
    text = b'"' + quote + b"QUJD" * (BIG // 4) + b"=" + quote + b'"'
    body = b'{"a":[' + text + b"," + text + b'],"b":' + text + b"}"
    assert parse_value(body) == parse_value(bytearray(body)) == json.loads(body)
    assert parse_value(text) == json.loads(text)


def test_a_sentence_names_what_was_read() -> None:
    """The sentence begins with what the caller calls the text."""
    with pytest.raises(BadRequest, match=r"^The bundle must be a JSON object\.$"):
        parse_object(b"1", "The bundle")


def test_a_large_attachment_costs_its_size_once() -> None:
    """Beside the body, a document with one large attachment takes no more than 1.1 times the body."""
    body = b'{"_attachments":{"a.tgz":{"data":"' + b"QUJD" * (2 * 2**20) + '"}},"readme":"é😀"}'.encode()
    assert len(parse_object(body)["_attachments"]["a.tgz"]["data"]) == 8 * 2**20
    assert least_memory(lambda: parse_object(body), 1.1 * len(body)) < 1.1 * len(body)


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text().filter(lambda key: key != "__proto__"), children),
)


@given(JSON)
def test_what_is_dumped_is_read_again(value: Any) -> None:
    """Writing and reading change nothing."""
    assert parse_value(dumps(value)) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but BadRequest comes out of any bytes."""
    with suppress(BadRequest):
        parse_value(data)


@given(JSON, st.data())
def test_a_repeated_key_is_found_anywhere(value: Any, data: st.DataObject) -> None:
    """An object with one key twice is refused, wherever in the document it stands."""
    inner = dumps(value)
    body = data.draw(st.sampled_from([b'{"k":%s,"x":1,"k":2}', b'[[],{"k":1,"k":%s}]', b'{"z":[{"k":%s,"k":%s}]}']))
    with pytest.raises(BadRequest, match="same key twice"):
        parse_value(body.replace(b"%s", inner))


@given(JSON)
def test_strings_are_told_from_the_rest_in_pieces_of_any_size(value: Any) -> None:
    """A document that is looked through piece by piece has one reading wherever the pieces end."""
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 2, 3, 7):
            patch.setattr(json_values, "_PIECE", size)
            assert parse_value(dumps([value, {"a:\\": '\\"\\\\'}])) == [value, {"a:\\": '\\"\\\\'}]
            with pytest.raises(BadRequest, match="same key twice"):
                parse_value(b'{"k":%s,"k":"\\""}' % dumps(value))


@pytest.mark.parametrize("size", range(1, 24))
@pytest.mark.parametrize("integer", [2**64, -(2**63) - 1, 10**30])
def test_a_long_integer_is_found_across_pieces(monkeypatch: pytest.MonkeyPatch, size: int, integer: int) -> None:
    """An integer of more than 64 bits is refused, and a float of as many digits read, wherever a piece ends."""
    monkeypatch.setattr(json_values, "_PIECE", size)
    with pytest.raises(BadRequest, match="64 bits"):
        parse_value(b"[1,%d]" % integer)
    assert parse_value(b"[1,%d.5,%de0,0.%d,%d]" % (integer, integer, abs(integer), 2**64 - 1))[4] == 2**64 - 1


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_as_before(enabled: bool) -> None:
    """Reading a document, or refusing one, leaves the collection of garbage as it was."""
    (gc.enable if enabled else gc.disable)()
    try:
        parse_value(b"[1]")
        with pytest.raises(BadRequest):
            parse_value(b"[")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
