"""Forms that are written without splitting the packument say the same as those of one that is split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.full_packument import BASE, MANIFEST, MISFILED, PACKUMENT, with_manifest
from support.outcomes import outcome

from nproxy_mw.npm import installed, quick_forms
from nproxy_mw.npm.documents import LARGE, Document
from nproxy_mw.npm.forms import Form, written
from nproxy_mw.npm.quick_forms import written_document
from nproxy_mw.npm.typed_packuments import read_by_type

NAME = "@types/node"
INSTALLED = [Form.ABBREVIATED, Form.SLIM]


def quickly(raw: bytes, form: Form) -> Any:
    return outcome(lambda: orjson.loads(written_document(Document(raw, "1", name=NAME), form, BASE)))


def after_facts(raw: bytes, form: Form) -> Any:
    """The form of a packument whose facts were read first, in the same pass if that was possible."""
    document = Document(raw, "1", name=NAME)
    return outcome(lambda: document.history and orjson.loads(written_document(document.at("2"), form, BASE)))


def slowly(raw: bytes, form: Form) -> Any:
    return outcome(lambda: orjson.loads(written(Document(raw, "1", name=NAME).packument, form, BASE)))


@pytest.fixture
def _no_split(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise AssertionError("The packument was split.")

    monkeypatch.setattr(quick_forms, "written", refuse)


@pytest.mark.usefixtures("_no_split")
@pytest.mark.parametrize("form", INSTALLED)
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(with_manifest(), id="everything"),
        pytest.param(with_manifest(scripts={}), id="empty scripts"),
        pytest.param(with_manifest(scripts={"test": "1", "preinstall": ""}), id="scripts that install nothing"),
        pytest.param(with_manifest(scripts=None, hasInstallScript=True), id="install scripts that are told of"),
        pytest.param(with_manifest(dist={"attestations": {"url": "https://upstream.example/x", "y": 1}}), id="proof"),
        pytest.param(with_manifest(dist={"attestations": {"provenance": 1}}), id="proof without a place"),
        pytest.param(with_manifest(dist={"attestations": []}), id="no proof"),
        pytest.param(b"\xef\xbb\xbf" + with_manifest(), id="mark"),
        pytest.param(with_manifest(gitHead="\N{SNOWMAN}"), id="not ASCII"),
        pytest.param(orjson.dumps({**PACKUMENT, "time": None}), id="no times"),
        pytest.param(orjson.dumps({**PACKUMENT, "dist-tags": {"latest": 1, "next": "1.0.0"}}), id="a tag that is none"),
    ],
)
def test_usual_packument_is_not_split(raw: bytes, form: Form) -> None:
    """The form has the same members and values."""
    document = Document(raw, "1", name=NAME)
    assert orjson.loads(written_document(document, form, BASE)) == slowly(raw, form)
    assert after_facts(raw, form) == slowly(raw, form)


@pytest.mark.usefixtures("_no_split")
@pytest.mark.parametrize("form", INSTALLED)
@pytest.mark.parametrize("size", [LARGE // 2, LARGE])
def test_facts_and_form_are_read_in_one_pass(monkeypatch: pytest.MonkeyPatch, form: Form, size: int) -> None:
    """Of a packument that is not large: what is read for its form takes memory until that is written."""
    read = []
    for module in (installed, quick_forms):
        monkeypatch.setattr(module, "read_by_type", lambda *asked: read.append(asked) or read_by_type(*asked))
    raw = with_manifest(readme="x" * size)
    document = Document(raw, "1", name=NAME)
    assert len(document.history.releases) == 1
    for again in (False, True):
        assert orjson.loads(written_document(document.at("2"), form, BASE)) == slowly(raw, form)
        assert len(read) == 1 + again


@pytest.mark.parametrize("form", INSTALLED)
@pytest.mark.parametrize(
    "raw", [orjson.dumps(PACKUMENT), with_manifest(readme="x" * LARGE), with_manifest(dist={"other": 1})]
)
def test_form_has_the_same_bytes_whether_facts_were_read_before_or_not(raw: bytes, form: Form) -> None:
    """Its ETag is the same in each process, and only one of them fetched it."""
    document = Document(raw, "1", name=NAME)
    assert document.history.releases
    assert written_document(document, form, BASE) == written_document(Document(raw, "1", name=NAME), form, BASE)


@pytest.mark.parametrize("form", INSTALLED)
@pytest.mark.parametrize(
    "raw",
    [
        *MISFILED,
        pytest.param(with_manifest(scripts="make"), id="a text as scripts"),
        pytest.param(orjson.dumps({**PACKUMENT, "versions": {"1.0.0": MANIFEST, "__proto__": {}}}), id="proto"),
        pytest.param(orjson.dumps({**PACKUMENT, "versions": [1]}), id="no versions"),
        pytest.param(orjson.dumps({**PACKUMENT, "name": "b"}), id="another package"),
        pytest.param(orjson.dumps({"name": NAME}), id="a name alone"),
        pytest.param(orjson.dumps({"x": 1}), id="no packument"),
        pytest.param(with_manifest().replace(b'"long"', b'"\\ud800"'), id="half a surrogate"),
        pytest.param(with_manifest()[:-1], id="cut off"),
        pytest.param(with_manifest().replace(b'"abc"', b"[" * 5000 + b"]" * 5000), id="deep"),
        pytest.param(b"[]", id="no document"),
    ],
)
def test_any_packument_has_the_same_form(raw: bytes, form: Form) -> None:
    """What is odd is looked at more closely, and what is refused is refused in the same words."""
    assert quickly(raw, form) == slowly(raw, form)
    assert after_facts(raw, form) == slowly(raw, form)


def test_packument_that_was_changed_is_written_as_it_was_changed() -> None:
    """A version that is held is not in what the document was sent as."""
    document = Document(with_manifest(), "1", name=NAME)
    emptied = Document(orjson.dumps({**PACKUMENT, "versions": {}}), "1", name=NAME).packument
    changed = document.at("2", emptied).at("3")
    assert orjson.loads(written_document(changed, Form.SLIM, BASE))["versions"] == {}
    assert orjson.loads(written_document(document.at("2"), Form.SLIM, BASE))["versions"].keys() == {"1.0.0"}


DIST = ["tarball", "attestations", "shasum", "integrity", "unpackedSize", "fileCount", "signatures", "other"]
odd = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "x", "1.0.0"]) | st.just([]) | st.just({})
manifests: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from([NAME] * 5 + ["b"]), "version": st.just("1.0.0")},
    optional={
        "dist": odd | st.dictionaries(st.sampled_from(DIST), odd),
        "scripts": odd | st.dictionaries(st.sampled_from(["install", "prepare", "test"]), odd),
        "hasInstallScript": odd,
        "dependencies": odd,
        "devDependencies": odd,
        "license": odd,
        "other": odd,
    },
)


@given(
    st.fixed_dictionaries(
        {"name": st.just(NAME), "versions": st.dictionaries(st.just("1.0.0"), manifests | odd)},
        optional={"time": odd, "modified": odd, "dist-tags": odd | st.dictionaries(st.just("latest"), odd)},
    ),
    st.sampled_from(INSTALLED),
)
def test_whatever_a_packument_holds_its_form_is_the_same(document: dict[str, Any], form: Form) -> None:
    """Values of any type in any place."""
    raw = orjson.dumps(document)
    assert quickly(raw, form) == slowly(raw, form)
    assert after_facts(raw, form) == slowly(raw, form)
