"""Every cap on what a client publishes: what has exactly as much is read, and one more is refused."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from support.parsing import FILE, NAME, VERSION, manifest, parse
from support.raw_tar import LONG, PACKAGE_JSON, entry, package, packed, records

from nproxy_mw import json_values
from nproxy_mw.errors import BadRequest
from nproxy_mw.json_values import dumps, parse_value
from nproxy_mw.npm import attachments, gunzip, publication, revisions, tar_entries, tarballs
from nproxy_mw.npm.revisions import parse_revision
from nproxy_mw.npm.tarballs import inspect
from nproxy_mw.testing.documents import publish_document


class Cap(NamedTuple):
    """A constant of a module, how much of it there is in something, and how that is read."""

    module: ModuleType
    name: str
    amount: int
    read: Callable[[], Any]


TWO_FILES = packed(package(), entry(b"package/index.js", b"x" * 5000))
WITH_PAX = packed(package(), entry(kind=b"x", data=records(path=LONG)), entry())
BUNDLE = '{"mediaType":"application/vnd.dev.sigstore.bundle+json"}'
README = "# Héllo"
STORED = {"name": NAME, "dist-tags": {}, "versions": {VERSION: {"name": NAME, "version": VERSION}}}


def tarball(data: bytes) -> Callable[[], Any]:
    return lambda: inspect(data)


def published(**how: Any) -> Callable[[], Any]:
    return lambda: parse(publish_document(NAME, VERSION, **how))


def with_bundle() -> Any:
    document = publish_document(NAME, VERSION)
    document["_attachments"][f"{NAME}-{VERSION}.sigstore"] = {"data": BUNDLE, "length": len(BUNDLE)}
    return parse(document)


def with_tags() -> Any:
    return parse({**publish_document(NAME, VERSION), "dist-tags": {"latest": VERSION, "next": VERSION}})


def deprecated() -> Any:
    changed = {**STORED, "versions": {VERSION: {**manifest(STORED), "deprecated": "Use another."}}}
    return parse_revision(STORED, changed)


CAPS = [
    Cap(tarballs, "MAX_ENTRIES", 3, tarball(TWO_FILES)),
    Cap(tarballs, "MAX_PACKAGE_JSON", len(PACKAGE_JSON), tarball(TWO_FILES)),
    Cap(tar_entries, "MAX_PATH", len("package/package.json"), tarball(packed(package()))),
    Cap(tar_entries, "MAX_EXTENSION", len(records(path=LONG)), tarball(WITH_PAX)),
    Cap(gunzip, "MAX_UNPACKED", len(gzip.decompress(TWO_FILES)), tarball(TWO_FILES)),
    Cap(attachments, "MAX_BUNDLE", len(BUNDLE), with_bundle),
    Cap(publication, "MAX_TAGS", 2, with_tags),
    Cap(publication, "MAX_MANIFEST", len(dumps(published()().manifest)), published()),
    Cap(publication, "MAX_README", len(README.encode()), published(manifest={"readme": README})),
    Cap(revisions, "MAX_MESSAGE", len("Use another."), deprecated),
    Cap(json_values, "MAX_DIGITS", 20, lambda: parse_value(b"[0.%s]" % (b"1" * 20))),
]


@pytest.mark.parametrize("cap", CAPS, ids=[cap.name for cap in CAPS])
def test_as_much_as_the_cap_is_read_and_no_more(monkeypatch: pytest.MonkeyPatch, cap: Cap) -> None:
    """Neither one less than is promised, nor one more."""
    monkeypatch.setattr(cap.module, cap.name, cap.amount)
    assert cap.read() is not None
    monkeypatch.setattr(cap.module, cap.name, cap.amount - 1)
    with pytest.raises(BadRequest):
        cap.read()


def test_ratio_counts_beyond_what_is_free_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small package may be a list of zeros; one byte more, and it may not."""
    data = packed(package(), entry(b"package/zeros", bytes(100_000)))
    monkeypatch.setattr(gunzip, "FREE_OF_RATIO", len(gzip.decompress(data)))
    assert inspect(data).file_count == 2
    monkeypatch.setattr(gunzip, "FREE_OF_RATIO", len(gzip.decompress(data)) - 1)
    with pytest.raises(BadRequest, match="times its size"):
        inspect(data)


@pytest.mark.parametrize("limit", [9, 10])
def test_marks_are_counted_to_the_last(limit: int) -> None:
    """Quotes, commas, colons and brackets."""
    body = b'{"a":[1,2],"b":1}'  # 1 + 4 + 2 + 1 + 2
    if limit == 10:
        assert parse_value(body, max_marks=limit)
    else:
        with pytest.raises(BadRequest, match="more values"):
            parse_value(body, max_marks=limit)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": "2.0.0"}, id="version"),
        pytest.param({"name": "@acme/other"}, id="name"),
    ],
)
def test_manifest_is_that_of_its_key_and_its_document(change: dict[str, str]) -> None:
    """Though it agrees with the package.json in the tarball, and says nothing else that could give it away."""
    said = {"name": NAME, "version": VERSION, **change}
    document = publish_document(said["name"], said["version"])
    (data,) = document["_attachments"].values()
    (given,) = document["versions"].values()
    given.pop("_id", None)
    lie = {"_id": NAME, "name": NAME, "dist-tags": {}, "versions": {VERSION: given}, "_attachments": {FILE: data}}
    with pytest.raises(BadRequest, match="whose manifest has another name or version"):
        parse(lie)


@pytest.mark.parametrize("size", [1, 2])
def test_base64_has_one_spelling(size: int) -> None:
    """The last letter before the padding may carry bits that decode to nothing: there they are zero."""
    files = (publish_document(NAME, VERSION, files={"a": "x" * length}) for length in range(200))
    document = next(one for one in files if len(base64.b64decode(one["_attachments"][FILE]["data"])) % 3 == size)
    assert parse(document)
    text = document["_attachments"][FILE]["data"]
    padding = "=" * (3 - size)
    last = text.removesuffix(padding)[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(last) + 1]
    same = f"{text.removesuffix(padding)[:-1]}{other}{padding}"
    assert base64.b64decode(same) == base64.b64decode(text)
    document["_attachments"][FILE]["data"] = same
    with pytest.raises(BadRequest, match="plain base64"):
        parse(document)
