"""The forms of a packument: what stands in each, and whose URLs."""

from __future__ import annotations

from hashlib import sha256
from itertools import repeat
from typing import Any

import orjson
import pytest
from support.full_packument import BASE, MANIFEST, PACKUMENT

from nproxy_mw.errors import NotFound
from nproxy_mw.http.views import RENDERING
from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.forms import Form, pointing_tags, written, written_members, written_version
from nproxy_mw.npm.quick_forms import written_document
from nproxy_mw.npm.slices import outline, split


def made(form: Form, document: Any = PACKUMENT, name: str = "@types/node") -> Any:
    return orjson.loads(written(split(outline(orjson.dumps(document)), name), form, BASE))


def test_full_form_loses_nothing() -> None:
    """All that the upstream said, but for a tag that points nowhere and the place of the tarball."""
    expected = orjson.loads(orjson.dumps(PACKUMENT))
    expected["versions"]["1.0.0"]["dist"]["tarball"] = f"{BASE}/@types/node/-/node-1.0.0.tgz"
    del expected["dist-tags"]["gone"]
    assert made(Form.FULL) == expected


def test_abbreviated_form_is_what_installers_read() -> None:
    """Among it the times, for those that hold young versions back, and whether an install runs something."""
    short = made(Form.ABBREVIATED)
    assert sorted(short) == ["dist-tags", "modified", "name", "time", "versions"]
    assert short["modified"] == PACKUMENT["time"]["modified"]
    gone = {"_id", "description", "license", "workspaces", "scripts", "gitHead"}
    assert short["versions"]["1.0.0"].keys() == (MANIFEST.keys() - gone) | {"hasInstallScript"}
    assert short["versions"]["1.0.0"]["hasInstallScript"] is True


def test_slim_form_is_what_npm_resolves_by() -> None:
    """Arborist reads nothing else of the full form (npm 11)."""
    slim = made(Form.SLIM)
    assert sorted(slim) == ["_id", "dist-tags", "name", "policyRestrictions", "stagedVersions", "time", "versions"]
    manifest = slim["versions"]["1.0.0"]
    assert MANIFEST.keys() - manifest.keys() == {"description", "devDependencies", "_npmUser", "gitHead"}
    assert manifest["scripts"] == {"preinstall": "1", "install": "2", "postinstall": "3", "prepare": "4"}


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        pytest.param({"install": "x"}, True, id="install"),
        pytest.param({"prepare": "x"}, None, id="npm runs none of the registry's prepare"),
        pytest.param({"preinstall": ""}, None, id="empty"),
        pytest.param({"postinstall": 1}, None, id="no text"),
        pytest.param("install", None, id="no object"),
        pytest.param(None, None, id="null"),
    ],
)
def test_install_scripts_are_announced(scripts: Any, expected: bool | None) -> None:
    """bun skips them without a word where it is not said."""
    document = {"versions": {"1.0.0": {"scripts": scripts}}}
    assert made(Form.ABBREVIATED, document, "x")["versions"]["1.0.0"].get("hasInstallScript") is expected
    slim = made(Form.SLIM, document, "x")["versions"]["1.0.0"].get("scripts")
    assert slim == (scripts if isinstance(scripts, dict) else None)


@pytest.mark.parametrize(
    ("members", "modified"),
    [
        pytest.param({"time": {"modified": "2020-01-02T00:00:00Z"}}, "2020-01-02T00:00:00Z", id="among the times"),
        pytest.param({"modified": "2020-01-03T00:00:00Z"}, "2020-01-03T00:00:00Z", id="by itself"),
        pytest.param(
            {"time": {"1.0.0": "2020-01-02T00:00:00+02:00", "2.0.0": "2020-01-01T23:00:00Z", "x": "zzz", "y": {}}},
            "2020-01-01T23:00:00Z",
            id="the newest time stands in",
        ),
        pytest.param({"time": {"x": 1}}, None, id="no time"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_abbreviated_form_tells_when_it_changed(members: Any, modified: str | None) -> None:
    """pnpm asks again where it is missing, and takes an old one for "nothing new"."""
    assert made(Form.ABBREVIATED, {"versions": {}, **members}, "x").get("modified") == modified


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("name", ["lodash", "@types/node"])
def test_tarballs_and_attestations_point_at_us(form: Form, name: str) -> None:
    """Whatever the upstream says of them, and where it says nothing of the tarball."""
    dist = {"tarball": "http://files.example/a.tgz", "attestations": {"url": "https://x.example/y", "provenance": {}}}
    document = {"versions": {"1.0.0": {"dist": dist}, "2.0.0": {}, "3.0.0": {"dist": {"attestations": None}}}}
    versions = made(form, document, name)["versions"]
    base = name.rpartition("/")[2]
    assert [m["dist"]["tarball"] for m in versions.values()] == [f"{BASE}/{name}/-/{base}-{v}.tgz" for v in versions]
    assert versions["1.0.0"]["dist"]["attestations"] == {
        "url": f"{BASE}/-/npm/v1/attestations/{name}@1.0.0",
        "provenance": {},
    }
    assert versions["3.0.0"]["dist"]["attestations"] is None


def test_base_url_is_text_in_json() -> None:
    """An operator's public URL is written as a JSON string, whatever it holds."""
    packument = split(outline(b'{"versions":{"1.0.0":{}}}'), "x")
    document = orjson.loads(written(packument, Form.FULL, 'https://a.example/"'))
    assert document["versions"]["1.0.0"]["dist"]["tarball"] == 'https://a.example/"/x/-/x-1.0.0.tgz'


@pytest.mark.parametrize("wanted", ["1.0.0", "latest"])
def test_one_version_is_found_by_number_and_by_tag(wanted: str) -> None:
    """With its own URLs, and all of its fields."""
    packument = split(outline(orjson.dumps(PACKUMENT)), "@types/node")
    assert orjson.loads(written_version(packument, wanted, BASE)) == made(Form.FULL)["versions"]["1.0.0"]


@pytest.mark.parametrize("wanted", ["9.9.9", "gone", "next", ""])
def test_version_that_is_absent_is_not_found(wanted: str) -> None:
    """Also when a tag points at it."""
    with pytest.raises(NotFound):
        written_version(split(outline(orjson.dumps(PACKUMENT)), "@types/node"), wanted, BASE)


def test_tags_that_point_nowhere_are_left_out() -> None:
    """They break clients."""
    assert pointing_tags(split(outline(orjson.dumps(PACKUMENT)), "@types/node")) == {"latest": "1.0.0"}


def test_another_way_of_writing_has_another_name() -> None:
    """ETags are made before bodies are. When this fails, give `RENDERING` its next name, and this table a line."""
    documents = (Document(orjson.dumps(PACKUMENT), "", name="@types/node") for _ in Form)
    written_forms = b"".join(map(written_document, documents, Form, repeat(BASE)))
    assert {"1": "92c793403748f902", "2": "177df9534c602e00", "3": "cbb319613fbaaf82"}[RENDERING] == sha256(
        written_forms
    ).hexdigest()[:16]


def test_members_are_written_as_they_came() -> None:
    """A document that is no packument passes with its numbers and its text."""
    raw = b'{"attestations":[1.50,"\\u00e9"]}'
    assert written_members(outline(raw)) == raw
