"""Publish documents that contradict themselves: every lie is refused."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.parsing import FILE, NAME, VERSION, Document, manifest, parse

from nproxy_mw.errors import BadRequest
from nproxy_mw.testing.documents import publish_document, tarball


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
        pytest.param(rename_attachment(f"{NAME}-{VERSION}.sigstore"), id="a bundle alone"),
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
        pytest.param(put({"evil": "1"}, *IN_MANIFEST, "dependencies"), id="a dependency the tarball has not"),
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
