"""Publish documents: the honest one whole, every lie refused."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm import publication
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.publication import NO_README, Publication, is_publish, parse_publication
from nproxy_mw.npm.strict_json import dumps, parse_object
from nproxy_mw.testing.documents import publish_document, tarball

NAME = "@acme/utils"
VERSION = "1.0.0"
FILE = f"{NAME}-{VERSION}.tgz"
BUNDLE = f"{NAME}-{VERSION}.sigstore"

Document = dict[str, Any]


def parse(document: Document, name: str = NAME) -> Publication:
    """Sends a document through JSON, as a client does."""
    return parse_publication(parse_name(name), parse_object(dumps(document)))


def manifest(document: Document) -> dict[str, Any]:
    (found,) = document["versions"].values()
    return found  # type: ignore[no-any-return]


def test_an_honest_document_is_read_whole() -> None:
    """Everything a publish says is in the value, and the digests are ours."""
    given_manifest = {
        "readme": "# Hi",
        "readmeFilename": "README.md",
        "custom": {"kept": [1, None]},
        "_npmVersion": "11",
    }
    document = publish_document(
        NAME, VERSION, package_json={"scripts": {"test": "x"}}, files={"a.js": "1"}, manifest=given_manifest, tag="next"
    )
    published = parse(document)
    data = published.tarball
    assert base64.b64encode(data).decode() == document["_attachments"][FILE]["data"]
    assert (str(published.name), published.version, published.tags) == (NAME, VERSION, {"next": VERSION})
    assert published.integrity == "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    assert published.shasum == hashlib.sha1(data, usedforsecurity=False).hexdigest()
    assert (published.readme, published.readme_filename) == ("# Hi", "README.md")
    assert (published.provenance, published.access, published.has_install_script) == (None, None, False)
    assert published.manifest == {
        "name": NAME,
        "version": VERSION,
        "scripts": {"test": "x"},
        "readmeFilename": "README.md",
        "custom": {"kept": [1, None]},
        "_npmVersion": "11",
        "_id": f"{NAME}@{VERSION}",
        "dist": {
            "integrity": published.integrity,
            "shasum": published.shasum,
            "fileCount": 2,
            "unpackedSize": published.unpacked_size,
        },
    }


def test_what_only_a_registry_may_say_is_not_kept() -> None:
    """Fields of ours and paths of the publisher's machine are dropped, whatever a client says in them."""
    ours = {
        "_attachments": {}, "_hasShrinkwrap": True, "_npmUser": {"name": "root"}, "_rev": "1-x", "time": {},
        "_nproxy": 1, "_nproxyKeys": [], "hasInstallScript": False,
        "_resolved": "/home/me/x.tgz", "_from": "file:x.tgz", "_integrity": "sha512-x", "_where": "/home/me",
    }  # fmt: skip
    document = publish_document(NAME, VERSION, manifest=ours)
    manifest(document)["dist"].update({"signatures": [{"keyid": "x"}], "fileCount": 999, "attestations": {}})
    document.update({"time": {VERSION: "2000-01-01"}, "_rev": "9-x", "maintainers": [], "users": {"x": True}})
    kept = parse(document).manifest
    assert kept.keys() == {"name", "version", "_id", "dist"}
    assert kept["dist"].keys() == {"integrity", "shasum", "fileCount", "unpackedSize"}
    assert kept["dist"]["fileCount"] == 1


def test_a_lock_in_the_tarball_is_told() -> None:
    """_hasShrinkwrap is true when, and only when, the tarball has npm-shrinkwrap.json."""
    assert (
        parse(publish_document(NAME, VERSION, files={"npm-shrinkwrap.json": "{}"})).manifest["_hasShrinkwrap"] is True
    )


@pytest.mark.parametrize(
    ("package_json", "files", "runs"),
    [
        pytest.param({}, {}, False, id="nothing"),
        pytest.param({"scripts": {"prepare": "x", "install": ""}}, {}, False, id="an empty script"),
        pytest.param({"scripts": {"postinstall": "x"}}, {}, True, id="postinstall"),
        pytest.param({}, {"binding.gyp": "{}"}, True, id="gyp"),
        pytest.param({"gypfile": False}, {"binding.gyp": "{}"}, False, id="gyp switched off"),
        pytest.param({}, {"lib/binding.gyp": "{}"}, False, id="gyp elsewhere"),
    ],
)
def test_an_install_script_is_found_in_the_tarball(package_json: Any, files: Any, runs: bool) -> None:
    """Whether an install runs something is decided by the tarball."""
    assert parse(publish_document(NAME, VERSION, package_json=package_json, files=files)).has_install_script is runs


def rename_attachment(name: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["_attachments"] = {name: document["_attachments"].pop(FILE)}

    return change


def move_version(key: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["versions"] = {key: manifest(document)}

    return change


def unset(*path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        at = document
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def put(value: Any, *path: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        at = document
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def sri(algorithm: str, data: bytes) -> str:
    return f"{algorithm}-" + base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


DATA = tarball({"name": NAME, "version": VERSION})
IN_MANIFEST = ("versions", VERSION)
IN_TARBALL = ("_attachments", FILE)
SHA512 = sri("sha512", DATA)
SHASUM = hashlib.sha1(DATA, usedforsecurity=False).hexdigest()
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(unset("_id"), id="no _id"),
        pytest.param(unset("access"), id="no access"),
        pytest.param(put("restricted", "access"), id="restricted"),
        pytest.param(unset("dist-tags"), id="no dist-tags"),
        pytest.param(put({}, "dist-tags"), id="empty dist-tags"),
        pytest.param(put({"latest": VERSION, "next": VERSION}, "dist-tags"), id="two dist-tags"),
        pytest.param(unset(*IN_MANIFEST, "_id"), id="no _id in the version"),
        pytest.param(unset(*IN_MANIFEST, "dist"), id="no dist"),
        pytest.param(unset(*IN_MANIFEST, "dist", "integrity"), id="no integrity"),
        pytest.param(unset(*IN_MANIFEST, "dist", "shasum"), id="no shasum"),
        pytest.param(put(sri("sha256", DATA), *IN_MANIFEST, "dist", "integrity"), id="SHA-256"),
        pytest.param(put(f"{SHA512}?a {sri('sha1', DATA)} md9-x", *IN_MANIFEST, "dist", "integrity"), id="several"),
        pytest.param(put(SHASUM.upper(), *IN_MANIFEST, "dist", "shasum"), id="capitals"),
        pytest.param(unset(*IN_TARBALL, "length"), id="no length"),
        pytest.param(unset(*IN_TARBALL, "content_type"), id="no content type"),
        pytest.param(rename_attachment("utils-1.0.0.tgz"), id="attachment without scope"),
        pytest.param(rename_attachment(f"{NAME}-1.0.0+b1.tgz"), id="attachment with a build part"),
        pytest.param(put(None, *IN_MANIFEST, "readme"), id="no readme"),
        pytest.param(put(None, *IN_MANIFEST, "readmeFilename"), id="no name of a readme"),
    ],
)
def test_what_clients_differ_in_is_accepted(change: Callable[[Document], None]) -> None:
    """What only some clients say may be missing, and is checked where it stands."""
    document = publish_document(NAME, VERSION)
    change(document)
    assert parse(document).tarball == DATA


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put("@acme/other", "name"), id="another name"),
        pytest.param(unset("name"), id="no name"),
        pytest.param(put(None, "name"), id="null as the name"),
        pytest.param(put(["@acme/utils"], "name"), id="a list as the name"),
        pytest.param(put("@acme/Utils", "name"), id="the name in capitals"),
        pytest.param(put("@acme/other", "_id"), id="another _id"),
        pytest.param(put(None, "_id"), id="null as the _id"),
        pytest.param(unset("versions"), id="no versions"),
        pytest.param(put({}, "versions"), id="empty versions"),
        pytest.param(put([], "versions"), id="a list of versions"),
        pytest.param(put(None, "versions"), id="null versions"),
        pytest.param(put({VERSION: None}, "versions"), id="a null version"),
        pytest.param(put({VERSION: []}, "versions"), id="a list as a version"),
        pytest.param(put({}, "versions", "1.0.1"), id="two versions"),
        pytest.param(
            lambda document: document.update(versions={"1.0.1": manifest(document)}), id="another version key"
        ),
        pytest.param(
            lambda document: document.update(versions={"latest": manifest(document)}), id="a tag as a version key"
        ),
        pytest.param(
            lambda document: document.update(versions={"v1.0.0": manifest(document)}), id="a v in the version key"
        ),
        pytest.param(put("1.0.1", *IN_MANIFEST, "version"), id="another version in the manifest"),
        pytest.param(put(1, *IN_MANIFEST, "version"), id="a number as the version"),
        pytest.param(unset(*IN_MANIFEST, "version"), id="no version in the manifest"),
        pytest.param(put("@acme/other", *IN_MANIFEST, "name"), id="another name in the manifest"),
        pytest.param(unset(*IN_MANIFEST, "name"), id="no name in the manifest"),
        pytest.param(put("@acme/other@1.0.0", *IN_MANIFEST, "_id"), id="another _id in the manifest"),
        pytest.param(put(None, *IN_MANIFEST, "_id"), id="null as the _id in the manifest"),
        pytest.param(put(None, "dist-tags"), id="null dist-tags"),
        pytest.param(put(["latest"], "dist-tags"), id="a list of dist-tags"),
        pytest.param(put("latest", "dist-tags"), id="a string as dist-tags"),
        pytest.param(put("1.0.1", "dist-tags", "latest"), id="a tag of an absent version"),
        pytest.param(put(None, "dist-tags", "latest"), id="a null tag"),
        pytest.param(put({"a": 1}, "dist-tags", "latest"), id="an object as a tag"),
        pytest.param(put(VERSION, "dist-tags", "1.x"), id="a range as a tag"),
        pytest.param(put(VERSION, "dist-tags", "v1.0.0"), id="a version as a tag"),
        pytest.param(put(VERSION, "dist-tags", ""), id="an empty tag"),
        pytest.param(put(VERSION, "dist-tags", "a/b"), id="a slash in a tag"),
        pytest.param(put(VERSION, "dist-tags", "a\r\nb"), id="a line break in a tag"),
        pytest.param(put({f"t{number}": VERSION for number in range(21)}, "dist-tags"), id="very many tags"),
        pytest.param(unset("_attachments"), id="no attachments"),
        pytest.param(put(None, "_attachments"), id="null attachments"),
        pytest.param(put([], "_attachments"), id="a list of attachments"),
        pytest.param(put({}, "_attachments"), id="empty attachments"),
        pytest.param(put({"data": ""}, "_attachments", "x.txt"), id="an extra attachment"),
        pytest.param(put({"data": TEXT}, "_attachments", "utils-1.0.0.tgz"), id="two tarballs"),
        pytest.param(rename_attachment("../../x"), id="a path as the attachment's name"),
        pytest.param(rename_attachment("@acme/utils-1.0.1.tgz"), id="another version in the attachment's name"),
        pytest.param(rename_attachment("@other/utils-1.0.0.tgz"), id="another scope in the attachment's name"),
        pytest.param(rename_attachment("@acme/utils-1.0.0.tar.gz"), id="another suffix"),
        pytest.param(rename_attachment(BUNDLE), id="a bundle alone"),
        pytest.param(put(None, *IN_TARBALL), id="a null attachment"),
        pytest.param(put(TEXT, *IN_TARBALL), id="a string as an attachment"),
        pytest.param(unset(*IN_TARBALL, "data"), id="no data"),
        pytest.param(put(5, *IN_TARBALL, "data"), id="a number as data"),
        pytest.param(put("", *IN_TARBALL, "data"), id="empty data"),
        pytest.param(put(TEXT + "\n", *IN_TARBALL, "data"), id="a line break behind the data"),
        pytest.param(put(TEXT[:76] + "\n" + TEXT[76:], *IN_TARBALL, "data"), id="a line break in the data"),
        pytest.param(put(" " + TEXT, *IN_TARBALL, "data"), id="a space before the data"),
        pytest.param(put(TEXT[:-2], *IN_TARBALL, "data"), id="cut data"),
        pytest.param(put(TEXT + "====", *IN_TARBALL, "data"), id="too much padding"),
        pytest.param(put(TEXT + TEXT, *IN_TARBALL, "data"), id="the data twice"),
        pytest.param(put(TEXT.replace("/", "_").replace("+", "-"), *IN_TARBALL, "data"), id="base64 for URLs"),
        pytest.param(put("é" + TEXT, *IN_TARBALL, "data"), id="data not ASCII"),
        pytest.param(put("AAAB", *IN_TARBALL, "data"), id="other data"),
        pytest.param(put(len(DATA) + 1, *IN_TARBALL, "length"), id="another length"),
        pytest.param(put(str(len(DATA)), *IN_TARBALL, "length"), id="a string as the length"),
        pytest.param(put(float(len(DATA)), *IN_TARBALL, "length"), id="a float as the length"),
        pytest.param(put(True, *IN_TARBALL, "length"), id="true as the length"),
        pytest.param(put(None, *IN_TARBALL, "length"), id="null as the length"),
        pytest.param(put(None, *IN_MANIFEST, "dist"), id="null dist"),
        pytest.param(put([], *IN_MANIFEST, "dist"), id="a list as dist"),
        pytest.param(put(sri("sha512", b"other"), *IN_MANIFEST, "dist", "integrity"), id="another integrity"),
        pytest.param(put(f"{SHA512} {sri('sha1', b'x')}", *IN_MANIFEST, "dist", "integrity"), id="one of two"),
        pytest.param(put("md5-abc", *IN_MANIFEST, "dist", "integrity"), id="an unknown algorithm alone"),
        pytest.param(put("", *IN_MANIFEST, "dist", "integrity"), id="an empty integrity"),
        pytest.param(put(1, *IN_MANIFEST, "dist", "integrity"), id="a number as integrity"),
        pytest.param(put([sri("sha512", DATA)], *IN_MANIFEST, "dist", "integrity"), id="a list as integrity"),
        pytest.param(put("0" * 40, *IN_MANIFEST, "dist", "shasum"), id="another shasum"),
        pytest.param(put(1, *IN_MANIFEST, "dist", "shasum"), id="a number as shasum"),
        pytest.param(put("private", "access"), id="an unknown access"),
        pytest.param(put(["public"], "access"), id="a list as access"),
        pytest.param(put(1, *IN_MANIFEST, "readme"), id="a number as readme"),
        pytest.param(put({}, "readme"), id="an object as readme"),
        pytest.param(put([], *IN_MANIFEST, "readmeFilename"), id="a list as readmeFilename"),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(change: Callable[[Document], None]) -> None:
    """Each contradiction, and each wrong type, is a 400 with a sentence."""
    document = publish_document(NAME, VERSION)
    change(document)
    with pytest.raises(BadRequest, match=r"\.$"):
        parse(document)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("@acme/utils", True), ("utils", True), ("@acme/Utils", False), ("@ACME/utils", False), ("@acme/a!b", False)],
)
def test_only_a_new_name_is_published(name: str, accepted: bool) -> None:
    """A name that npm refuses for new packages cannot be published, though it can be read."""
    document = publish_document(name, VERSION)
    if accepted:
        assert str(parse(document, name).name) == name
    else:
        with pytest.raises(BadRequest, match="cannot be published"):
            parse(document, name)


@pytest.mark.parametrize("version", ["1.0.0+b1", "1.0.0-rc.1", "0.0.0", "1.0.0-rc.1+5.sha"])
def test_every_semver_version_is_published(version: str) -> None:
    """Prereleases and build parts are versions too."""
    assert parse(publish_document(NAME, version)).version == version


@pytest.mark.parametrize(
    "version", ["1", "1.0", "01.0.0", "1.0.0-01", "1.0.0-", "v1.0.0", " 1.0.0", "1.0.0\n", "١.0.0", "../x"]
)
def test_what_is_no_version_is_refused(version: str) -> None:
    """A version is strict semver, although every place in the document says the same."""
    with pytest.raises(BadRequest):
        parse(publish_document(NAME, version))


def with_bundle(data: Any, length: Any = None) -> Document:
    document = publish_document(NAME, VERSION)
    document["_attachments"][BUNDLE] = {"content_type": "application/json", "data": data}
    if length is not None:
        document["_attachments"][BUNDLE]["length"] = length
    return document


def test_a_provenance_bundle_is_kept_as_it_came() -> None:
    """A sigstore bundle beside the tarball is JSON text, its length counted as JavaScript counts."""
    assert parse(with_bundle('{"a": "😀"}', 11)).provenance == '{"a": "😀"}'


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(with_bundle({}), id="an object"),
        pytest.param(with_bundle("[]"), id="a list"),
        pytest.param(with_bundle("rubbish"), id="no JSON"),
        pytest.param(with_bundle('{"a":1,"a":2}'), id="a key twice"),
        pytest.param(with_bundle("{}", 3), id="another length"),
        pytest.param(with_bundle('{"a":"' + "é" * 2**21 + '"}'), id="too large"),
    ],
)
def test_a_bundle_that_is_none_is_refused(document: Document) -> None:
    """A bundle is the text of a JSON object."""
    with pytest.raises(BadRequest):
        parse(document)


@pytest.mark.parametrize(
    ("in_manifest", "at_top", "readme"),
    [
        pytest.param("a", None, "a", id="npm"),
        pytest.param(None, "b", "b", id="yarn 4"),
        pytest.param("a", "b", "a", id="both"),
        pytest.param(NO_README, None, "", id="none, as npm says it"),
        pytest.param(None, None, "", id="none"),
    ],
)
def test_the_readme_is_found_where_clients_put_it(in_manifest: str | None, at_top: str | None, readme: str) -> None:
    """npm puts the readme into the version, yarn 4 to the top; it is not kept in the manifest."""
    document = {**publish_document(NAME, VERSION, manifest={"readme": in_manifest}), "readme": at_top}
    published = parse(document)
    assert published.readme == readme
    assert "readme" not in published.manifest


def test_a_manifest_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest beyond the cap is refused, the readme not counted; the readme has a cap of its own."""
    monkeypatch.setattr(publication, "MAX_MANIFEST", 2**20)
    monkeypatch.setattr(publication, "MAX_README", 2**21)
    assert parse(publish_document(NAME, VERSION, manifest={"readme": "x" * 2**21}))
    with pytest.raises(BadRequest, match="manifest of more than 1 MiB"):
        parse(publish_document(NAME, VERSION, manifest={"x": "x" * 2**20}))
    with pytest.raises(BadRequest, match="readme of more than 2 MiB"):
        parse(publish_document(NAME, VERSION, manifest={"readme": "é" * 2**20 + "x"}))


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        pytest.param(publish_document(NAME, VERSION), True, id="publish"),
        pytest.param({"_attachments": {}}, True, id="a broken publish"),
        pytest.param({"_id": NAME, "name": NAME, "versions": {VERSION: {"deprecated": "x"}}}, False, id="deprecate"),
        pytest.param({"_id": NAME, "_rev": "1-x", "users": {"me": True}}, False, id="star"),
        pytest.param({"_id": NAME, "_rev": "1-x", "maintainers": []}, False, id="owner"),
    ],
)
def test_a_publish_is_told_from_other_writes(document: Document, is_one: bool) -> None:
    """Only a publish has attachments."""
    assert is_publish(document) is is_one


HONEST = publish_document(
    NAME, VERSION, package_json={"bin": "x.js", "scripts": {"a": "b"}, "dependencies": {"c": "1"}}
)
ANYTHING = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([{}])
)


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every place in a document."""
    below = (
        [path for key, inner in value.items() for path in paths(inner, (*at, key))] if isinstance(value, dict) else []
    )
    return [at, *below] if at else below


@settings(max_examples=300)
@given(st.sampled_from(paths(HONEST)), ANYTHING)
def test_anything_anywhere_is_read_or_refused(path: tuple[str, ...], value: Any) -> None:
    """Whatever stands at whatever place, nothing but BadRequest comes out, and no lie gets in."""
    document = copy.deepcopy(HONEST)
    put(value, *path)(document)
    try:
        published = parse(document)
    except BadRequest:
        return
    assert published.manifest["name"] == NAME
    assert published.manifest["dist"]["integrity"] == sri("sha512", published.tarball)
    assert set(published.tags.values()) <= {VERSION}
