"""The history of a packument that is read by type is that of one that is split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.full_packument import MANIFEST, MISFILED, PACKUMENT, with_manifest
from support.outcomes import outcome

from nproxy_mw.npm.documents import Document
from nproxy_mw.npm.facts import History
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.quick_history import quick_history

NAME = "@types/node"


def of_large(raw: bytes) -> History:
    """What a document does that is too large to be read for its forms in the same pass."""
    return quick_history(Document(raw, "1", name=NAME).text, NAME) or slowly(raw)


def slowly(raw: bytes) -> History:
    return read_history(Document(raw, "1", name=NAME).packument)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(with_manifest(), id="everything"),
        pytest.param(with_manifest(dependencies=["a"], scripts="make", _npmUser=7), id="fields of other types"),
        pytest.param(with_manifest(gypfile=0, deprecated=""), id="what JavaScript takes for false"),
        pytest.param(with_manifest(dist={}), id="an empty dist"),
        pytest.param(with_manifest(dist={"attestations": {"provenance": 1}}), id="evidence"),
        pytest.param(orjson.dumps({**PACKUMENT, "time": None}), id="no times"),
        pytest.param(orjson.dumps({**PACKUMENT, "maintainers": "ann"}), id="maintainers of another type"),
        pytest.param(b'{"name":"@types/node","versions":{}}', id="no versions"),
        pytest.param(b'{"versions":{}}', id="no name"),
        pytest.param(with_manifest().replace(b'"dist"', b'"scripts":1,"dist"'), id="a member that is there twice"),
    ],
)
def test_usual_packument_is_read_by_type(raw: bytes) -> None:
    """Whatever the members hold that facts are read from."""
    found = quick_history(raw, NAME)
    assert found is not None
    assert found == slowly(raw)
    assert Document(raw, "1", name=NAME).history == found


@pytest.mark.parametrize(
    "raw",
    [
        *MISFILED,
        pytest.param(with_manifest(dist={"unpackedSize": "7", "integrity": "x"}), id="a size of another type"),
        pytest.param(
            orjson.dumps({**PACKUMENT, "versions": {"1.0.0\n2.0.0": {**MANIFEST, "version": "1.0.0\n2.0.0"}}}),
            id="two numbers in one",
        ),
        pytest.param(orjson.dumps({**PACKUMENT, "versions": {"1.0.0": MANIFEST, "__proto__": {}}}), id="proto"),
        pytest.param(orjson.dumps({**PACKUMENT, "versions": [1]}), id="no versions"),
        pytest.param(orjson.dumps({**PACKUMENT, "dist-tags": [1]}), id="no tags"),
        pytest.param(orjson.dumps({**PACKUMENT, "name": "b"}), id="another package"),
        pytest.param(orjson.dumps({"name": NAME}), id="a name alone"),
        pytest.param(orjson.dumps({"x": 1}), id="no packument"),
        pytest.param(
            with_manifest(dist=7).replace(b'"dist":7', b'"dist":{},"dist":7'), id="a dist that is there twice"
        ),
        pytest.param(with_manifest().replace(b'"long"', b'"\\ud800"'), id="half a surrogate"),
        pytest.param(with_manifest()[:-1], id="cut off"),
        pytest.param(with_manifest().replace(b'"abc"', b"[" * 5000 + b"]" * 5000), id="deep"),
        pytest.param(b"[]", id="no document"),
    ],
)
def test_any_packument_has_the_same_history(raw: bytes) -> None:
    """What is odd is looked at more closely, and what is refused is refused in the same words."""
    assert outcome(lambda: Document(raw, "1", name=NAME).history) == outcome(lambda: slowly(raw))
    assert outcome(lambda: of_large(raw)) == outcome(lambda: slowly(raw))


def test_history_of_a_changed_packument_is_what_it_was_changed_to() -> None:
    """A version that is held is not in what the document was sent as."""
    document = Document(with_manifest(), "1", name=NAME)
    emptied = Document(orjson.dumps({**PACKUMENT, "versions": {}}), "1", name=NAME).packument
    assert len(document.history.releases) == 1
    assert document.at("2", emptied).at("3").history.releases == ()


odd = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["", "x", "1.0.0"]) | st.just([]) | st.just({})
some = odd | st.dictionaries(st.sampled_from(["a", "name", "install", "prepare", "approver", "trustedPublisher"]), odd)
manifests: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from([NAME] * 9 + ["b"]), "version": st.sampled_from(["1.0.0"] * 9 + ["2.0.0"])},
    optional={
        "dist": some
        | st.dictionaries(st.sampled_from(["integrity", "unpackedSize", "fileCount", "attestations"]), some),
        "dependencies": some,
        "optionalDependencies": some,
        "scripts": some,
        "gypfile": odd,
        "deprecated": odd,
        "_npmUser": some,
        "other": odd,
    },
)
times = st.dictionaries(
    st.sampled_from(["created", "modified", "1.0.0", "3.0.0"]), odd | st.just("2020-01-02T00:00:00Z")
)


@given(
    st.fixed_dictionaries(
        {"name": st.just(NAME), "versions": st.dictionaries(st.just("1.0.0"), manifests | odd)},
        optional={"time": times | odd, "dist-tags": odd | st.dictionaries(st.just("latest"), odd), "maintainers": some},
    )
)
def test_whatever_a_packument_holds_its_history_is_the_same(document: dict[str, Any]) -> None:
    """Values of any type in any place."""
    raw = orjson.dumps(document)
    assert outcome(lambda: Document(raw, "1", name=NAME).history) == outcome(lambda: slowly(raw))
    assert outcome(lambda: of_large(raw)) == outcome(lambda: slowly(raw))
