"""Everything bad that was ever sent to a registry, through the whole stack: refused, and the folder is as it was."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile

import pytest
from house import House, publish, snapshot
from wsgi_client import Client

from nproxy_mw.answers import Answer
from nproxy_mw.locks import locks_for
from nproxy_mw.storage import open_storage
from nproxy_mw.testing.documents import publish_document

UTILS = "/@acme%2futils"
PACKAGE = {"name": "@acme/utils", "version": "2.0.0"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A registry in a folder, with one package that everything below is aimed at."""
    folder = tmp_path_factory.mktemp("kept")
    house = House(open_storage(str(folder)), locks=locks_for(str(folder)))
    client = house.client()
    assert publish(client).status == 201
    assert client.get("/-/whoami").status == 200
    return house, client, folder


def refused(kept, method, path, statuses, *, body=b"", client=None, **how):
    """Asks, and holds that the answer is a refusal, nobody was asked upstream and not a byte was written."""
    house, owner, folder = kept
    before = snapshot(folder)
    response = (client or owner).ask(method, path, body=body, **how)
    assert response.status in statuses, response.body[:300]
    assert snapshot(folder) == before
    assert house.upstream.asked == []
    return response


def document(**change):
    return {**publish_document("@acme/utils", "2.0.0"), **change}


def with_manifest(**lies):
    return publish_document("@acme/utils", "2.0.0", manifest=lies)


def with_dist(**claims):
    true = document()["versions"]["2.0.0"]["dist"]
    return with_manifest(dist={**true, **claims})


def with_tarball(data: bytes, **attachment):
    """A document whose tarball is *data*, with true digests."""
    whole = document()
    dist = whole["versions"]["2.0.0"]["dist"]
    dist["integrity"] = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    dist["shasum"] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    given = {"data": base64.b64encode(data).decode(), "length": len(data), **attachment}
    whole["_attachments"] = {"@acme/utils-2.0.0.tgz": given}
    return whole


def attached(*names, **more):
    tarball = document()["_attachments"]["@acme/utils-2.0.0.tgz"]
    return document(_attachments={**dict.fromkeys(names, tarball), **more})


# Names and paths

PATHS = [
    "/is-even;/../is-odd", "/is-even%23/x", "/is-even%3f", "/is-even/%2e%2e/is-odd", "/is-even\\x", "//is-even",
    "/./is-even", "/@a/..", "/..", "/.git", "/%2e%2e", "/x%00", "/C:", "/con", "/" + "a" * 215, "/utils.",
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
    ["@acme/Utils", "@acme/ut~ils", "@acme/utils!", "@acme/(utils)", "@acme/'x'", "@acme/*", "@acme/_x", "@acme/.x"],
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
    house = House(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    before = snapshot(tmp_path)
    house.upstream.send = lambda *_, **__: Answer(200, [], lambda size: iter([json.dumps(packument).encode()]))
    response = house.stranger().get("/is-even")
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

RAW = json.dumps(document()).encode()
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


# Decompression


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def tar(*members, package=PACKAGE, mode="w", fmt=tarfile.PAX_FORMAT):
    """A tarball with package.json first and *members*, pairs of what to change of a TarInfo and its bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=fmt) as archive:
        for change, data in [({"name": "package/package.json"}, json.dumps(package).encode()), *members]:
            info = tarfile.TarInfo()
            info.size = len(data)
            for key, value in change.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def deep_paths():
    return ((({"name": f"package/{number}/" + "a/" * 400 + "x"}), b"") for number in range(260))


def lying_header() -> bytes:
    """An entry that says it has 10 bytes, and brings none."""
    whole = bytearray(tar(({"name": "package/x"}, b"0123456789")))
    return bytes(whole[:2048])


GZIPPED = gz(tar())
BOMBS = {
    "no gzip": tar(),
    "empty": b"",
    "gzip of nothing": gz(b""),
    "gzip of no tar": gz(b"x" * 5000),
    "gzip twice": gz(GZIPPED),
    "cut": GZIPPED[:-20],
    "two members": GZIPPED + GZIPPED,
    "bytes behind": GZIPPED + b"x",
    "false checksum": GZIPPED[:-8] + b"\0\0\0\0" + GZIPPED[-4:],
    "64 MB of zeros": gz(tar(({"name": "package/x"}, bytes(64 * 2**20)))),
    "zeros behind the archive": gz(tar() + bytes(64 * 2**20)),
    "100,000 folders": gz(tar(*deep_paths())),
    "cut within an entry": gz(lying_header()),
    "no end": gz(tar()[:1024]) if len(tar()) > 1024 else gz(b""),
}


@pytest.mark.parametrize("what", BOMBS)
def test_archive_that_is_made_to_hurt_is_refused(kept, what):
    """Caps on what comes out, on its ratio and on the number of entries."""
    response = refused(kept, "PUT", UTILS, {400}, json=with_tarball(BOMBS[what]))
    assert response.code in {"invalid-tarball", "invalid-publication"}


@pytest.mark.parametrize(
    ("body", "encoding", "statuses"),
    [
        pytest.param(gz(bytes(60 * 2**20)), "gzip", {413}, id="bomb"),
        pytest.param(gz(gz(bytes(60 * 2**20))), "gzip", {400}, id="nested bomb"),
        pytest.param(gz(RAW)[:-4], "gzip", {400}, id="cut"),
        pytest.param(RAW, "gzip", {400}, id="not encoded"),
        pytest.param(gz(RAW), "br", {400}, id="unknown"),
        pytest.param(gz(RAW), "", {400}, id="not said"),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_encoded_body_that_is_made_to_hurt_is_refused(kept, body, encoding, statuses, chunked):
    """The limit holds for what comes out."""
    refused(kept, "PUT", UTILS, statuses, body=body, chunked=chunked, Content_Encoding=encoding)


@pytest.mark.parametrize("path", [UTILS, f"{UTILS}/-rev/1-x"])
def test_body_over_the_limit_is_refused(kept, path):
    """Announced or not."""
    environ = {"CONTENT_LENGTH": str(52_428_801)}
    response = refused(kept, "PUT", path, {413}, environ=environ)
    assert "37 MB" in response.error


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_cut_body_is_refused(kept, encoding):
    """Half a document is no document, however it was announced."""
    body = gz(RAW) if encoding else RAW
    environ = {"CONTENT_LENGTH": str(len(body) + 1)}
    refused(kept, "PUT", UTILS, {400}, body=body, environ=environ, Content_Encoding=encoding)


def test_chunked_body_that_was_not_handed_over_is_refused(kept):
    """An empty body of a server that cannot read chunks is not the client's."""
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": None}
    refused(kept, "PUT", UTILS, {411}, environ=environ)


# What is in a tarball


def bits(member: dict) -> bytes:
    return gz(tar((member, b"")))


TARS = {
    "absolute path": bits({"name": "/etc/passwd"}),
    "..": bits({"name": "package/../../x"}),
    "outside": bits({"name": "other/x"}),
    "backslash": bits({"name": "package\\..\\x"}),
    "drive": bits({"name": "package/C:/x"}),
    "line break": bits({"name": "package/a\nb"}),
    "NUL": gz(tar().replace(b"package/package.json\0", b"package/package.json\0x", 1)),
    "symbolic link": bits({"name": "package/x", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
    "hard link": bits({"name": "package/x", "type": tarfile.LNKTYPE, "linkname": "package/package.json"}),
    "device": bits({"name": "package/x", "type": tarfile.CHRTYPE}),
    "block device": bits({"name": "package/x", "type": tarfile.BLKTYPE}),
    "pipe": bits({"name": "package/x", "type": tarfile.FIFOTYPE}),
    "unknown kind": bits({"name": "package/x", "type": b"Z"}),
    "setuid": bits({"name": "package/x", "mode": 0o4755}),
    "setgid": bits({"name": "package/x", "mode": 0o2755}),
    "package.json twice": gz(tar(({"name": "package/package.json"}, b"{}"))),
    "package.json in another case": gz(tar(({"name": "package/PACKAGE.json"}, b"{}"))),
    "package.json with a full-width letter": gz(tar(({"name": "package/ｐackage.json"}, b"{}"))),
    "file and folder": gz(tar(({"name": "package/x"}, b""), ({"name": "package/x/y"}, b""))),
    "PAX path": gz(tar(({"name": "package/x", "pax_headers": {"path": "../../x"}}, b""))),
    "PAX size": gz(tar(({"name": "package/x", "pax_headers": {"size": "99"}}, b""))),
    "PAX sparse": gz(tar(({"name": "package/x", "pax_headers": {"GNU.sparse.size": "999999999"}}, b""))),
    "PAX link": gz(tar(({"name": "package/x", "pax_headers": {"linkpath": "/etc/passwd"}}, b""))),
    "no package.json": gz(tar(package=PACKAGE).replace(b"package/package.json", b"package/package.JSON")),
    "other name": gz(tar(package={**PACKAGE, "name": "@acme/other"})),
    "other version": gz(tar(package={**PACKAGE, "version": "9.9.9"})),
    "hidden script": gz(tar(package={**PACKAGE, "scripts": {"postinstall": "evil"}})),
    "hidden dependency": gz(tar(package={**PACKAGE, "dependencies": {"evil": "1"}})),
    "hidden bin": gz(tar(package={**PACKAGE, "bin": {"npm": "evil.js"}})),
    "package.json no object": gz(tar(package=[])),
}


@pytest.mark.parametrize("what", TARS)
def test_tarball_that_is_not_plain_is_refused(kept, what):
    """Nothing that two readers would unpack differently is taken in."""
    refused(kept, "PUT", UTILS, {400}, json=with_tarball(TARS[what]))


def test_plain_tarball_of_the_same_make_is_taken(tmp_path):
    """This file makes good tarballs, too: each refusal above is about its own difference."""
    house = House(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    members = (({"name": "package/x"}, b"x"), ({"name": "package/lib", "type": tarfile.DIRTYPE}, b""))
    assert house.client().put(UTILS, with_tarball(gz(tar(*members)))).status == 201


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
    house = House(open_storage(str(tmp_path)), locks=locks_for(str(tmp_path)))
    client = Client(house.app, house.token(), environ={"HTTP_USER_AGENT": "npm\r\n\x1b[31m" + "x" * 5000})
    assert publish(client).status == 201
    (event, *_) = house.packages.record(next(iter(house.packages.names())))[0].chain
    assert event["userAgent"].isprintable()
    assert len(event["userAgent"]) <= 256
