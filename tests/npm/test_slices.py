"""Packuments from outside, split: what is refused, what is repaired, what is left alone."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import UpstreamUnavailable
from nproxy_mw.npm import slices
from nproxy_mw.npm.forms import Form, written
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.slices import Packument, as_count, as_text, is_nameable, list_of, members_of, outline, split


def parsed(document: Any, name: str = "lodash") -> Packument:
    return split(outline(orjson.dumps(document)), name)


def built(packument: Packument) -> Any:
    """What a split packument says, as Python values."""
    members = {**packument.members, "versions": packument.versions, "dist-tags": packument.tags}
    return orjson.loads(msgspec.json.encode(members))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="list"),
        pytest.param(None, id="null"),
        pytest.param({}, id="empty object"),
        pytest.param({"error": "not_found"}, id="error object"),
        pytest.param({"name": "is-odd", "versions": {}}, id="another package"),
        pytest.param({"name": None, "versions": {}}, id="no name"),
        pytest.param({"name": "lodash", "versions": []}, id="versions are a list"),
        pytest.param({"name": "lodash", "versions": None}, id="versions are null"),
        pytest.param({"name": "lodash", "dist-tags": []}, id="tags are a list"),
        pytest.param({"versions": {"1.0.0": None}}, id="manifest is null"),
        pytest.param({"versions": {"1.0.0": {"name": "is-odd"}}}, id="manifest of another package"),
        pytest.param({"versions": {"1.0.0": {"name": 1}}}, id="manifest whose name is a number"),
        pytest.param({"versions": {"1.0.0": {"version": "2.0.0"}}}, id="manifest of another version"),
        pytest.param({"versions": {"1.0.0": {}, "2.0.0": {"version": "1.0.0"}}}, id="one of two"),
    ],
)
def test_document_that_contradicts_itself_is_refused_whole(document: Any) -> None:
    """One name is never answered with the content of another."""
    with pytest.raises(UpstreamUnavailable):
        parsed(document)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b'{"a":',
        b"[" * 100_000,
        b'{"versions":{},"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"versions":{},"a": NaN}',
        b'{"versions":{}}x',
        b'{"versions":{"1.0.0":{"x":tru}}}',
        b'{"versions":{"1.0.0":{"x":"\x01"}}}',
    ],
)
def test_text_that_is_no_json_is_refused(raw: bytes) -> None:
    """Also where the fault lies in a part that nobody reads."""
    with pytest.raises(UpstreamUnavailable):
        split(outline(raw), "lodash")


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_what_lies_at_the_limit_of_nesting_is_refused_or_read(depth: int) -> None:
    """Where a document was just shallow enough to be split, its parts may be too deep for who reads them later."""
    deep = b"[" * depth + b"]" * depth
    try:
        packument = split(outline(b'{"versions":{"1.0.0":{"dist":{"attestations":%b}}}}' % deep), "lodash")
    except UpstreamUnavailable:
        return

    def read_below(frames: int) -> None:
        if frames:
            read_below(frames - 1)
        else:
            written(packument, Form.FULL, "")
            read_history(packument)

    read_below(30)


def test_poorest_document_is_completed() -> None:
    """No name, no tags, no time, no dist."""
    assert built(parsed({"versions": {"1.0.0": {}, "2.0.0": {"dist": 1}}, "time": None})) == {
        "name": "lodash",
        "dist-tags": {},
        "versions": {
            "1.0.0": {"name": "lodash", "version": "1.0.0", "dist": {}},
            "2.0.0": {"name": "lodash", "version": "2.0.0", "dist": {}},
        },
    }
    assert built(parsed({"_id": "lodash", "time": {"unpublished": {}}}))["versions"] == {}


def test_unknown_fields_survive() -> None:
    """Split and written again, a document says what it said."""
    manifest = {"name": "lodash", "version": "1.0.0", "dist": {"x": [1]}, "new": {"deep": [None, 1e-7]}}
    document = {"name": "lodash", "dist-tags": {}, "versions": {"1.0.0": manifest}, "future": 1.5, "time": {"x": {}}}
    assert built(parsed(document)) == document


@pytest.mark.parametrize("version", ["3.0.0rc5", "1.0.5beta", "3.13.00", "1.0", "v1", "1.0.0+build"])
def test_versions_from_before_strict_semver_stay(version: str) -> None:
    """They are real, and installers other than npm's take them."""
    assert list(parsed({"versions": {version: {}}}).versions) == [version]


@pytest.mark.parametrize("version", ["", ".", "..", "../../x", "a/b", "a b", "é", "a\n", "x" * 257, "__proto__"])
def test_version_that_cannot_be_asked_for_is_left_out(version: str) -> None:
    """It could not stand in a URL, or means something in JavaScript."""
    assert not is_nameable(version)
    assert list(parsed({"versions": {"1.0.0": {}, version: {}}}).versions) == ["1.0.0"]


def test_prototype_is_never_passed_on() -> None:
    """A key that means something in JavaScript is dropped, however deep."""
    raw = (
        b'{"name":"lodash","__proto__":{"x":1},"dist-tags":{"__proto__":"1.0.0","latest":"1.0.0"},"time":{"__proto__":1},'
        b'"versions":{"__proto__":{"name":"lodash"},"1.0.0":{"__proto__":{"scripts":{}},"a":[{"__proto__":1,"b":2}]}}}'
    )
    packument = split(outline(raw), "lodash")
    assert b"__proto__" not in orjson.dumps(built(packument))
    assert built(packument)["versions"]["1.0.0"]["a"] == [{"b": 2}]
    assert packument.tags == {"latest": "1.0.0"}


def test_last_of_equal_keys_counts() -> None:
    """As in JavaScript, at each level that is read."""
    raw = (
        b'{"versions":{"9.9.9":{}},"name":"is-odd","name":"lodash","dist-tags":{"a":"1.0.0","a":"2.0.0"},'
        b'"versions":{"2.0.0":{"version":"1.0.0"},"2.0.0":{"version":"1.0.0","version":"2.0.0"}}}'
    )
    packument = split(outline(raw), "lodash")
    assert (list(packument.versions), packument.tags) == (["2.0.0"], {"a": "2.0.0"})


@pytest.mark.parametrize("tags", [{"latest": "9.9.9"}, {"latest": "1.0.0", "odd": 1, "none": None, "empty": ""}])
def test_tags_are_the_strings(tags: dict[str, Any]) -> None:
    """A tag may point at a version that is not there; what is no version is dropped."""
    expected = {tag: version for tag, version in tags.items() if isinstance(version, str) and version}
    assert parsed({"versions": {"1.0.0": {}}, "dist-tags": tags}).tags == expected


@pytest.mark.parametrize(
    ("raw", "readme"),
    [
        pytest.param(rb'"cut \ud83d"', "cut \ufffd", id="half a pair, escaped"),
        pytest.param(rb'"cut \ud83d\n\udc4d"', "cut \ufffd\n\ufffd", id="two halves"),
        pytest.param(rb'"\ud83d\udc4d \ude00"', "\U0001f44d \ufffd", id="a pair and a half"),
        pytest.param(rb'"\\ud83d \udc4d"', "\\ud83d \ufffd", id="backslash before"),
        pytest.param(b'"cut \xf0\x9f\x91"', "cut \ufffd", id="half a character in UTF-8"),
        pytest.param(b'"\xff\xfe \xc3\xa9"', "\ufffd\ufffd \xe9", id="bytes that are no UTF-8"),
    ],
)
def test_text_cut_within_a_character_is_repaired(raw: bytes, readme: str) -> None:
    """Registries cut long readmes at a number of bytes; the package can still be installed."""
    packument = split(outline(b'{"versions":{},"readme":' + raw + b"}"), "lodash")
    assert as_text(packument.members["readme"]) == readme
    assert built(packument)["readme"] == readme


def test_characters_that_span_two_pieces_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long document is looked at in pieces."""
    monkeypatch.setattr(slices, "_PIECE", 3)
    assert as_text(outline('{"a":"é\U0001f44dé"}'.encode())["a"]) == "é\U0001f44dé"


def test_byte_order_mark_is_skipped() -> None:
    """Some servers send one."""
    assert list(split(outline(b'\xef\xbb\xbf {"versions":{"1.0.0":{}}}'), "lodash").versions) == ["1.0.0"]


@pytest.mark.parametrize(
    ("bound", "raw"),
    [
        pytest.param("MAX_BYTES", b'{"versions":{},"x":"' + b"a" * 100 + b'"}', id="bytes"),
        pytest.param("MAX_COMMAS", b'{"versions":{},"x":[' + b"1," * 100 + b"1]}", id="commas"),
        pytest.param("MAX_OBJECTS", b'{"versions":{},"__proto__":' + b'{"a":' * 100 + b"1" + b"}" * 101, id="objects"),
    ],
)
def test_document_beyond_a_bound_is_refused(monkeypatch: pytest.MonkeyPatch, bound: str, raw: bytes) -> None:
    """The bound itself is allowed; nothing of a document beyond it is built. Objects count where values are built."""
    size = {"MAX_BYTES": len(raw), "MAX_COMMAS": raw.count(b","), "MAX_OBJECTS": raw.count(b"{")}[bound]
    monkeypatch.setattr(slices, bound, size)
    assert split(outline(raw), "lodash").versions == {}
    monkeypatch.setattr(slices, bound, size - 1)
    with pytest.raises(UpstreamUnavailable, match="larger than this registry reads"):
        split(outline(raw), "lodash")


@pytest.mark.parametrize(
    ("text", "members", "items", "string", "count"),
    [
        ('{"a": 1}', {"a"}, 0, None, None),
        ("[1, 2]", set(), 2, None, None),
        ('"x"', set(), 0, "x", None),
        ("7", set(), 0, None, 7),
        ("7.5", set(), 0, None, None),
        ("true", set(), 0, None, None),
        ("null", set(), 0, None, None),
    ],
)
def test_slices_are_read_as_what_they_are(
    text: str, members: set[str], items: int, string: str | None, count: int | None
) -> None:
    """And as nothing when they are something else."""
    raw = outline(f'{{"x": {text}}}'.encode())["x"]
    assert (members_of(raw).keys(), len(list_of(raw)), as_text(raw), as_count(raw)) == (members, items, string, count)


def test_absent_slices_are_read_as_nothing() -> None:
    """A member that is not there has neither members nor items nor text."""
    assert (members_of(None), list_of(None), as_text(None), as_count(None)) == ({}, [], None, None)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_become_a_packument(raw: bytes) -> None:
    """Nothing but the one error comes out."""
    try:
        packument = split(outline(raw), "lodash")
    except UpstreamUnavailable:
        return
    assert packument.name == "lodash"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["1.0.0", "2.0.0-a", "x", "__proto__"])
manifests = st.dictionaries(st.sampled_from(["name", "version", "dist", "scripts", "dependencies"]), values)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("lodash") | values,
            "versions": st.dictionaries(keys, manifests) | values,
            "dist-tags": st.dictionaries(keys, keys) | values,
            "time": values,
        },
    )
)
def test_any_document_is_refused_or_consistent(document: dict[str, Any]) -> None:
    """What passes names one package, and says of it what the document says."""
    try:
        packument = parsed(document)
    except UpstreamUnavailable:
        return
    said = built(packument)
    assert said["name"] == "lodash"
    for version, manifest in said["versions"].items():
        assert (manifest["name"], manifest["version"]) == ("lodash", version)
        assert isinstance(manifest["dist"], dict)
