"""Upstream packuments: what is refused, what is completed, what is rewritten."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import Busy, UpstreamUnavailable
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.routes import Kind, Route, parse_route
from nproxy_mw.upstream.documents import UrlRewriter, parse_packument
from nproxy_mw.upstream.relaying import one_range, passed, refusal, relayed
from nproxy_mw.upstream.targets import version_of_tarball, wire_target

LODASH = Name("", "lodash")
OURS = "https://npm.acme.example/npm"
UPSTREAM = "https://upstream.example"


def parsed(document: Any, name: Name = LODASH) -> dict[str, Any]:
    return parse_packument(orjson.dumps(document), name)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="list"),
        pytest.param(None, id="null"),
        pytest.param({"name": "is-odd", "versions": {}}, id="another package"),
        pytest.param({"name": None}, id="no name"),
        pytest.param({"versions": []}, id="versions are a list"),
        pytest.param({"dist-tags": []}, id="tags are a list"),
        pytest.param({"versions": {"1.0.0": None}}, id="manifest is null"),
        pytest.param({"versions": {"1.0.0": {"name": "is-odd"}}}, id="manifest of another package"),
        pytest.param({"versions": {"1.0.0": {"version": "2.0.0"}}}, id="manifest of another version"),
        pytest.param({"versions": {"1.0.0": {}, "2.0.0": {"version": "1.0.0"}}}, id="one of two"),
    ],
)
def test_document_that_contradicts_itself_is_refused_whole(document: Any) -> None:
    """One name is never answered with the content of another."""
    with pytest.raises(UpstreamUnavailable):
        parsed(document)


@pytest.mark.parametrize("raw", [b"", b"<html>", b'{"a":', b"[" * 100_000, b'{"a": NaN}', b"{}x"])
def test_text_that_is_no_json_is_refused(raw: bytes) -> None:
    """Quickly, whatever it is."""
    with pytest.raises(UpstreamUnavailable):
        parse_packument(raw, LODASH)


def test_poorest_document_is_completed() -> None:
    """No name, no tags, no time, no dist."""
    assert parsed({"versions": {"1.0.0": {}}, "time": None}) == {
        "name": "lodash",
        "dist-tags": {},
        "versions": {"1.0.0": {"name": "lodash", "version": "1.0.0", "dist": {}}},
    }
    assert parsed({})["versions"] == {}


def test_what_could_not_be_asked_for_is_left_out() -> None:
    """Keys that are no versions, tags that dangle, names with a meaning in JavaScript."""
    document = {
        "versions": {"1.0.0": {}, "../../x": {}, "__proto__": {}, "1.0": {}, "": {}},
        "dist-tags": {"latest": "1.0.0", "gone": "2.0.0", "odd": 1, "__proto__": "1.0.0"},
    }
    packument = parsed(document)
    assert list(packument["versions"]) == ["1.0.0"]
    assert packument["dist-tags"] == {"latest": "1.0.0"}


@pytest.mark.parametrize(
    ("raw", "readme"),
    [
        pytest.param(rb'{"readme": "cut \ud83d"}', "cut \ufffd", id="half a pair, escaped"),
        pytest.param(rb'{"readme": "cut \ud83d\n\udc4d"}', "cut \ufffd\n\ufffd", id="two halves"),
        pytest.param(rb'{"readme": "\ud83d\udc4d \ude00"}', "\U0001f44d \ufffd", id="a pair and a half"),
        pytest.param(rb'{"readme": "\\ud83d \udc4d"}', "\\ud83d \ufffd", id="backslash before"),
        pytest.param(b'{"readme": "cut \xf0\x9f\x91"}', "cut \ufffd", id="half a character in UTF-8"),
    ],
)
def test_text_cut_within_a_character_is_repaired(raw: bytes, readme: str) -> None:
    """Registries cut long readmes at a number of bytes; the package is still to be had."""
    assert parse_packument(raw, LODASH)["readme"] == readme


def test_unknown_fields_survive() -> None:
    """Read, then written, a document says what it said."""
    manifest = {
        "name": "lodash",
        "version": "1.0.0",
        "dist": {"x": [1]},
        "_npmUser": {"name": "a"},
        "new": {"deep": [None]},
    }
    document = {
        "name": "lodash",
        "dist-tags": {},
        "versions": {"1.0.0": manifest},
        "future": 1.5,
        "time": {"x": {"y": 1}},
    }
    assert parsed(document) == document


@pytest.mark.parametrize("name", ["lodash", "@types/node"])
def test_tarballs_and_attestations_point_at_us(name: str) -> None:
    """Whatever the upstream says of them, and where it says nothing of the tarball."""
    dist = {
        "tarball": "http://files.example/a.tgz",
        "attestations": {"url": "https://x.example/y", "provenance": {"a": 1}},
    }
    document = {"versions": {"1.0.0": {"dist": dist}, "2.0.0": {}, "3.0.0": {"dist": {"attestations": None}}}}
    versions = UrlRewriter(UPSTREAM, OURS).with_local_urls(parsed(document, parse_name(name)))["versions"]
    base = name.rpartition("/")[2]
    assert [m["dist"]["tarball"] for m in versions.values()] == [f"{OURS}/{name}/-/{base}-{v}.tgz" for v in versions]
    assert versions["1.0.0"]["dist"]["attestations"] == {
        "url": f"{OURS}/-/npm/v1/attestations/{name}@1.0.0",
        "provenance": {"a": 1},
    }
    assert versions["3.0.0"]["dist"]["attestations"] is None


@pytest.mark.parametrize(
    ("upstream", "before", "after"),
    [
        pytest.param(UPSTREAM, "https://upstream.example/x", f"{OURS}/x", id="https"),
        pytest.param(UPSTREAM, "http://upstream.example/x", f"{OURS}/x", id="http"),
        pytest.param(UPSTREAM, "git+https://upstream.example", f"git+{OURS}", id="no path"),
        pytest.param(UPSTREAM, "https://upstream.example:443/x", f"{OURS}/x", id="port written out"),
        pytest.param(UPSTREAM, "at https://upstream.example.", f"at {OURS}.", id="full stop"),
        pytest.param(UPSTREAM, "https://upstream.example.evil/x", "https://upstream.example.evil/x", id="longer host"),
        pytest.param(UPSTREAM, "https://upstream.example-x/", "https://upstream.example-x/", id="longer label"),
        pytest.param(UPSTREAM, "https://my.upstream.example/", "https://my.upstream.example/", id="subdomain"),
        pytest.param(UPSTREAM, "https://upstream.example:8443/", "https://upstream.example:8443/", id="other port"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/npm/x", f"{OURS}/x", id="with its prefix"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/npmx", f"{OURS}/npmx", id="not quite its prefix"),
        pytest.param(f"{UPSTREAM}/npm", "https://upstream.example/other", f"{OURS}/other", id="beside its prefix"),
        pytest.param("http://127.0.0.1:4873", "http://127.0.0.1:4873/x", f"{OURS}/x", id="with a port"),
        pytest.param("http://127.0.0.1:4873", "http://127.0.0.1:48731/x", "http://127.0.0.1:48731/x", id="longer port"),
        pytest.param("http://[::1]:4873", "http://[::1]:4873/x", f"{OURS}/x", id="IPv6"),
    ],
)
def test_no_url_of_the_upstream_is_left(upstream: str, before: str, after: str) -> None:
    """Each is turned into one of ours, anywhere in the document; nothing that merely looks alike is touched."""
    assert json.loads(UrlRewriter(upstream, OURS).encoded({"deep": [before]})) == {"deep": [after]}


def test_our_own_urls_stay_where_both_share_an_origin() -> None:
    """A registry and its upstream may be two paths of one server."""
    beside = UrlRewriter("http://one.example/upstream", "http://one.example/npm")
    assert beside.encoded(["http://one.example/npm/x", "http://one.example/upstream/x"]) == (
        b'["http://one.example/npm/x","http://one.example/npm/x"]'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{OURS}/x", f"{UPSTREAM}/x"),
        ("http://npm.acme.example/npm/x", f"{UPSTREAM}/x"),
        ("https://npm.acme.example/npmx", "https://npm.acme.example/npmx"),
        ("https://npm.acme.example/", "https://npm.acme.example/"),
    ],
)
def test_our_urls_are_turned_back(before: str, after: str) -> None:
    """What a client sends back says of the upstream what the upstream said."""
    assert json.loads(UrlRewriter(UPSTREAM, OURS).returned(json.dumps([before]).encode())) == [after]


def test_sentences_do_not_name_the_host() -> None:
    """Not even without a scheme."""
    text = UrlRewriter(UPSTREAM, OURS).to_local_text("upstream.example says: see https://upstream.example/help.")
    assert text == f"the upstream registry says: see {OURS}/help."


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_become_a_packument(raw: bytes) -> None:
    """Nothing but the one error comes out."""
    try:
        packument = parse_packument(raw, LODASH)
    except UpstreamUnavailable:
        return
    assert {"name", "dist-tags", "versions"} <= set(packument)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
keys = st.sampled_from(["1.0.0", "2.0.0-a", "x", "__proto__"])
manifests = st.dictionaries(st.sampled_from(["name", "version", "dist"]), values)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.just("lodash") | values,
            "versions": st.dictionaries(keys, st.dictionaries(st.sampled_from(["name", "version", "dist"]), values))
            | values,
            "dist-tags": st.dictionaries(keys, keys) | values,
            "time": values,
        },
    )
)
def test_any_document_is_refused_or_consistent(document: dict[str, Any]) -> None:
    """What passes names one package, and every tag a version that is there."""
    try:
        packument = parsed(document)
    except UpstreamUnavailable:
        return
    assert packument["name"] == "lodash"
    assert set(packument["dist-tags"].values()) <= set(packument["versions"])
    for version, manifest in UrlRewriter(UPSTREAM, OURS).with_local_urls(packument)["versions"].items():
        assert (manifest["name"], manifest["version"]) == ("lodash", version)
        assert manifest["dist"]["tarball"].startswith(OURS)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/lodash", "/lodash"),
        ("/@types/node", "/@types%2fnode"),
        ("/@types/node/-rev/1-a", "/@types%2fnode/-rev/1-a"),
        ("/@types/node/-/node-1.0.0.tgz", "/@types/node/-/node-1.0.0.tgz"),
        ("/@types/node/-/@types/node-1.0.0.tgz", "/@types/node/-/node-1.0.0.tgz"),
        ("/x/-/x-1.0.0+b.tgz/-rev/1", "/x/-/x-1.0.0+b.tgz/-rev/1"),
        ("/-/package/@types/node/dist-tags", "/-/package/@types%2fnode/dist-tags"),
        ("/-/package/x/dist-tags/next", "/-/package/x/dist-tags/next"),
        ("/-/npm/v1/attestations/@types/node@1.0.0", "/-/npm/v1/attestations/@types/node@1.0.0"),
        ("/-/npm/v1/keys", "/-/npm/v1/keys"),
        ("/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/advisories/bulk"),
        ("/-/npm/v1/security/audits", "/-/npm/v1/security/audits/quick"),
    ],
)
def test_targets_are_rebuilt_from_routes(path: str, target: str) -> None:
    """With the encoded slash where npm writes one."""
    assert wire_target(parse_route(path)) == target


@pytest.mark.parametrize(
    "kind", [Kind.ROOT, Kind.UNKNOWN, Kind.PACKAGE_ASPECT, Kind.SEARCH, Kind.WHOAMI, Kind.LOGIN, Kind.TOKENS]
)
def test_other_kinds_have_no_target(kind: Kind) -> None:
    """What is not in the table cannot be sent, even by mistake."""
    with pytest.raises(KeyError):
        wire_target(Route(kind, LODASH))


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("lodash-1.0.0.tgz", "1.0.0"),
        ("lodash-1.0.0-beta.1.tgz", "1.0.0-beta.1"),
        ("other-1.0.0.tgz", ""),
        ("lodash-1.0.0.zip", ""),
    ],
)
def test_version_stands_in_the_file_name(filename: str, version: str) -> None:
    """After the package's own name, which may hold dashes itself."""
    assert version_of_tarball(LODASH, filename) == version


def test_headers_pass_by_name_and_by_character() -> None:
    """Nothing that could end a header line or begin another."""
    given_headers = {"etag": '"x"', "x-a": "1", "npm-notice": "a\r\nSet-Cookie: b", "retry-after": "5\x00", "vary": "é"}
    assert passed(given_headers, ["ETag", "npm-notice", "Retry-After", "Vary", "Absent"]) == [("ETag", '"x"')]


@pytest.mark.parametrize(
    ("value", "is_kept"),
    [
        ("bytes=0-1", True),
        ("bytes=5-", True),
        ("bytes=-5", True),
        ("bytes=0-1,3-4", False),
        ("bytes=-", False),
        ("x", False),
    ],
)
def test_one_range_passes(value: str, is_kept: bool) -> None:
    """Several ranges come back as multipart, which is no tarball."""
    assert one_range(value) == ([("Range", value)] if is_kept else [])


@pytest.mark.parametrize(
    ("said", "wait"), [("17", 17), ("0", 1), ("", 1), ("999999", 3600), ("Wed, 21 Oct 2026", 1), ("-5", 1), ("²", 1)]
)
def test_waits_are_bounded(said: str, wait: int) -> None:
    """An upstream does not decide to stop a client for a day."""
    error = refusal(429, said, "package")
    assert isinstance(error, Busy)
    assert error.retry_after == wait


def test_relayed_refusal_says_nothing_else() -> None:
    """Neither the upstream's host nor fields a client could act on elsewhere."""
    raw = (
        b'{"error": "No. See https://upstream.example/x or upstream.example", "authUrl": "https://upstream.example/a"}'
    )
    assert relayed(403, raw, UrlRewriter(UPSTREAM, OURS)) == {
        "error": f"No. See {OURS}/x or the upstream registry",
        "code": "upstream-refused",
    }
