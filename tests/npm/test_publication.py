"""Publish documents: the honest one whole, every lie refused."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from support.parsing import FILE, NAME, VERSION, Document, manifest, parse

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm import publication
from nproxy_mw.npm.publication import NO_README, is_publish
from nproxy_mw.npm.tarballs import inspect
from nproxy_mw.testing.documents import publish_document

BUNDLE = f"{NAME}-{VERSION}.sigstore"


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
    assert (published.readme, published.readme_filename) == ("# Hi", "README.md")
    assert published.has_install_script is False
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
            "shasum": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
            "fileCount": 2,
            "unpackedSize": inspect(data).unpacked_size,
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


def test_a_provenance_bundle_is_accepted() -> None:
    """A sigstore bundle next to the tarball is JSON text, its length counted as JavaScript counts."""
    assert parse(with_bundle('{"a": "😀"}', 11)) == parse(publish_document(NAME, VERSION))


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
