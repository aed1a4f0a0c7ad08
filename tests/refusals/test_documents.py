"""Bad names, documents, JSON and headers, through the whole stack: refused, and the folder is as it was."""

from __future__ import annotations

import base64
import json

import pytest
from support.client import Client
from support.refusals import RAW, UTILS, attached, document, refused, with_dist, with_manifest, with_tarball
from support.registry import RegistryFixture, publish, snapshot

from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import locks_for
from nproxy_mw.testing.documents import publish_document
from nproxy_mw.upstream.responses import UpstreamResponse

# Names and paths

PATHS = [
    "/is-even;/../is-odd", "/is-even%23/x", "/is-even%3f", "/is-even/%2e%2e/is-odd", "/is-even\\x", "//is-even",
    "/./is-even", "/@a/..", "/..", "/.git", "/%2e%2e", "/x%00", "/C:", "/" + "a" * 215,
    "/@acme%252futils", "/%2540acme%252futils", "/%EF%BC%A0acme/x", "/@acme", "/@acme/", "/@acme/x/-/..%2f..%2fx",
    "/@acme/utils/-/%2e%2e/record.json", "/-/package/@acme%252futils/dist-tags", "/-/package/../dist-tags",
    "/@acme%0d%0a/x", "/@acme/%EF%BC%8E%EF%BC%8E",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_strange_path_is_refused(kept, method, path):
    """No path that is none of npm's reaches the storage or the upstream."""
    refused(kept, method, path, {400}, body=json.dumps(document()).encode() if method == "PUT" else b"")


@pytest.mark.parametrize(
    "name",
    [
        "@acme/Utils",
        "@acme/ut~ils",
        "@acme/utils!",
        "@acme/(utils)",
        "@acme/'x'",
        "@acme/*",
        "@acme/con",
        "@acme/x.",
        "@acme/.x",
    ],
)
def test_name_that_npm_would_not_take_is_refused(kept, name):
    """Old packages may carry such names; a new one cannot."""
    path = "/" + name.replace("/", "%2f")
    refused(kept, "PUT", path, {400}, json=publish_document(name, "1.0.0"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("verb_path", ["/@acme%2fabsent", "/@acme/absent/-/absent-1.0.0.tgz", "/@acme/absent/1.0.0"])
def test_absent_internal_package_is_404(kept, verb_path, method):
    """A twin upstream is never asked for."""
    refused(kept, method, verb_path, {404})


# An upstream that answers something else


@pytest.mark.parametrize(
    "packument",
    [
        pytest.param({"name": "is-odd", "versions": {}, "dist-tags": {}}, id="another name"),
        pytest.param(
            {"name": "is-even", "dist-tags": {}, "versions": {"1.0.0": {"name": "is-odd", "version": "1.0.0"}}},
            id="another name in a version",
        ),
        pytest.param(
            {"name": "is-even", "dist-tags": {}, "versions": {"1.0.0": {"name": "is-even", "version": "2.0.0"}}},
            id="another version",
        ),
    ],
)
def test_upstream_document_of_another_package_is_refused(tmp_path, packument):
    """What does not name what was asked for is not handed out."""
    acme = RegistryFixture(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    before = snapshot(tmp_path)
    acme.upstream.send = lambda *_, **__: UpstreamResponse(200, [], lambda size: iter([json.dumps(packument).encode()]))
    response = acme.stranger().get("/is-even")
    if response.status == 200:
        assert response.json["versions"] == {}
    else:
        assert response.status == 502
    assert snapshot(tmp_path) == before


# The URL, the document and itself

CONTRADICTIONS = {
    "name of another package": document(name="@acme/other"),
    "_id of another package": document(_id="@acme/other"),
    "no name": document(name=None),
    "a number for a name": document(name=1),
    "another name in the manifest": with_manifest(name="@acme/other"),
    "another version in the manifest": with_manifest(version="2.0.1"),
    "another _id in the manifest": with_manifest(_id="@acme/utils@9.9.9"),
    "version key of another version": document(versions={"3.0.0": document()["versions"]["2.0.0"]}),
    "two versions": document(versions={**document()["versions"], "3.0.0": {}}),
    "no versions": document(versions={}),
    "versions no object": document(versions=[]),
    "manifest no object": document(versions={"2.0.0": None}),
    "version that is none": publish_document("@acme/utils", "2.0"),
    "version with v": publish_document("@acme/utils", "v2.0.0"),
    "version with a path": publish_document("@acme/utils", "2.0.0/../x"),
    "version too large": publish_document("@acme/utils", "9007199254740992.0.0"),
    "no attachments": document(_attachments={}),
    "attachments no object": document(_attachments=[]),
    "attachment of another name": attached("@acme/other-2.0.0.tgz"),
    "attachment of another version": attached("@acme/utils-3.0.0.tgz"),
    "attachment with a path": attached("../../x.tgz"),
    "attachment with a path behind the name": attached("@acme/utils-2.0.0.tgz/../x.tgz"),
    "two attachments": attached("@acme/utils-2.0.0.tgz", "@acme/utils-3.0.0.tgz"),
    "one more of another kind": attached("@acme/utils-2.0.0.tgz", **{"x.txt": {"data": ""}}),
    "attachment without data": attached(**{"@acme/utils-2.0.0.tgz": {}}),
    "attachment no object": attached(**{"@acme/utils-2.0.0.tgz": "x"}),
    "tag that names an absent version": document(**{"dist-tags": {"latest": "9.9.9"}}),
    "tag that names a stored version": document(**{"dist-tags": {"latest": "1.0.0"}}),
    "tag like a range": document(**{"dist-tags": {"^1": "2.0.0"}}),
    "tag like a version": document(**{"dist-tags": {"1.0.0": "2.0.0"}}),
    "tag like x": document(**{"dist-tags": {"x": "2.0.0"}}),
    "tag with a slash": document(**{"dist-tags": {"a/b": "2.0.0"}}),
    "tag with a line break": document(**{"dist-tags": {"a\r\nb": "2.0.0"}}),
    "tags no object": document(**{"dist-tags": "latest"}),
    "other dependencies": with_manifest(dependencies={"evil": "1.0.0"}),
    "other scripts": with_manifest(scripts={"postinstall": "evil"}),
    "other bin": with_manifest(bin={"npm": "evil.js"}),
    "readme no text": with_manifest(readme=["x"]),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_document_that_contradicts_is_refused(kept, what):
    """URL, document, manifest, attachment and tarball all say the same, or nothing is stored."""
    refused(kept, "PUT", UTILS, {400}, json=CONTRADICTIONS[what])


# Claims

CLAIMS = {
    "integrity of other bytes": with_dist(integrity="sha512-" + base64.b64encode(b"x" * 64).decode()),
    "integrity that is none": with_dist(integrity="x"),
    "integrity of an unknown kind": with_dist(integrity="md5-AAAA"),
    "one false integrity of two": with_dist(
        integrity=document()["versions"]["2.0.0"]["dist"]["integrity"] + " sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    ),
    "integrity no text": with_dist(integrity=1),
    "shasum of other bytes": with_dist(shasum="0" * 40),
    "shasum no text": with_dist(shasum=0),
    "length of other bytes": with_tarball(b"x", length=2),
    "dist no object": with_manifest(dist="x"),
    "base64 with a line break": attached(**{"@acme/utils-2.0.0.tgz": {"data": "AAAA\nAAAA"}}),
    "no base64": attached(**{"@acme/utils-2.0.0.tgz": {"data": "é"}}),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_false_claim_is_refused(kept, what):
    """What the client says of the bytes must be true of them."""
    refused(kept, "PUT", UTILS, {400}, json=CLAIMS[what])


# Overwriting


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0+b1"])
@pytest.mark.parametrize("files", [{}, {"x.js": "1"}], ids=["same bytes", "other bytes"])
def test_overwriting_is_refused(kept, version, files):
    """At once, also for the same bytes, also with other build metadata."""
    refused(kept, "PUT", UTILS, {409}, json=publish_document("@acme/utils", version, files=files))


# JSON

JSONS = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "bytes behind": RAW + b"x",
    "two documents": RAW + RAW,
    "no UTF-8": b'{"name": "\xff"}',
    "UTF-16": RAW.decode().encode("utf-16"),
    "the same key twice": RAW[:-1] + b', "name": "@acme/utils"}',
    "the same key twice, deep": RAW.replace(b'"dist": {', b'"dist": {"shasum": "x", ', 1),
    "__proto__": RAW[:-1] + b', "__proto__": {}}',
    "__proto__ escaped": RAW[:-1] + b', "__pr\\u006fto__": {}}',
    "__proto__ as a tag": RAW.replace(b'"latest"', b'"__proto__"', 1),
    "__proto__ as a dependency": RAW.replace(b'"dist": {', b'"dependencies": {"__proto__": "1"}, "dist": {', 1),
    "NaN": RAW[:-1] + b', "x": NaN}',
    "Infinity": RAW[:-1] + b', "x": -Infinity}',
    "lone surrogate": RAW[:-1] + b', "x": "\\ud800"}',
    "integer of 100,000 digits": RAW[:-1] + b', "x": ' + b"9" * 100_000 + b"}",
    "depth 100,000": b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth 100,000, objects": b'{"x": ' * 100_000 + b"1" + b"}" * 100_000,
    "depth 200": RAW[:-1] + b', "x": ' + b"[" * 200 + b"]" * 200 + b"}",
    "3 million values": b'{"x": [' + b"1," * 3_000_000 + b"1]}",
    "a readme of 10 MB": json.dumps(with_manifest(readme="x" * 10_000_000)).encode(),
    "a manifest of 5 MB": json.dumps(with_manifest(custom="x " * 2_500_000)).encode(),
    "a key of 100,000 characters of base64": RAW[:-1] + b', "' + b"A" * 100_000 + b'": 1}',
}  # fmt: skip


@pytest.mark.parametrize("what", JSONS)
def test_json_of_more_than_one_reading_is_refused(kept, what):
    """What readers differ on, and what is made to keep them busy."""
    refused(kept, "PUT", UTILS, {400}, body=JSONS[what])
    refused(kept, "PUT", f"{UTILS}/-rev/1-x", {400, 405, 409}, body=JSONS[what])
    refused(kept, "PUT", "/-/package/@acme%2futils/dist-tags/next", {400, 404, 413}, body=JSONS[what])


# And what is in headers


@pytest.mark.parametrize(
    "header", ["HTTP_USER_AGENT", "HTTP_NPM_COMMAND", "HTTP_REFERER", "HTTP_COOKIE", "REMOTE_ADDR"]
)
def test_headers_reach_no_header_and_no_line_of_the_log(kept, caplog, header):
    """Line breaks and escapes that a server let through end up nowhere."""
    environ = {header: "x\r\nSet-Cookie: y\x1b[31m"}
    response = refused(kept, "PUT", UTILS, {409}, json=publish_document("@acme/utils", "1.0.0"), environ=environ)
    assert "set-cookie" not in response.headers
    assert "Set-Cookie" not in caplog.text


def test_user_agent_is_stored_plain(tmp_path):
    """What the audit trail keeps of a client is printable and short."""
    acme = RegistryFixture(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    client = Client(acme.app, acme.token(), environ={"HTTP_USER_AGENT": "npm\r\n\x1b[31m" + "x" * 5000})
    assert publish(client).status == 201
    (event, *_) = acme.packages.record(next(iter(acme.packages.names())))[0].chain
    assert event["userAgent"].isprintable()
    assert len(event["userAgent"]) <= 256
