"""What people type after npm search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.npm.search import Query, result

PACKUMENT = {
    "name": "@acme/date-utils",
    "description": "Dates, parsed twice",
    "keywords": ["Date", "time"],
    "author": {"name": "Ann"},
    "maintainers": [{"name": "ann"}, {"name": "Bob"}],
    "dist-tags": {"latest": "1.0.0"},
    "time": {"1.0.0": "2026-01-01T00:00:00.000Z"},
    "versions": {"1.0.0": {"version": "1.0.0", "_npmUser": {"name": "ann"}, "deprecated": "old"}},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", True, id="nothing: everything"),
        pytest.param("dates PARSED", True, id="words in any case"),
        pytest.param("dates absent", False, id="one word absent"),
        pytest.param("scope:acme", True, id="scope"),
        pytest.param("scope:@acme", True, id="scope with its @"),
        pytest.param("scope:acm", False, id="part of a scope"),
        pytest.param("keywords:date", True, id="keyword"),
        pytest.param("keywords:x,TIME", True, id="one of several keywords"),
        pytest.param("keywords:dat", False, id="part of a keyword"),
        pytest.param("author:ann", True, id="author"),
        pytest.param("author:bob", False, id="a maintainer is not the author"),
        pytest.param("maintainer:bob", True, id="maintainer"),
        pytest.param("maintainer:eve", False, id="another maintainer"),
        pytest.param("is:deprecated", True, id="deprecated"),
        pytest.param("not:deprecated", False, id="not deprecated"),
        pytest.param("not:unstable boost-exact:false dates", True, id="what is not kept"),
        pytest.param("twice scope:acme keywords:date", True, id="all together"),
        pytest.param("twice scope:acme keywords:x", False, id="all must hold"),
        pytest.param("http:x", False, id="no qualifier: a word"),
        pytest.param("scope:", False, id="without a value: a word"),
    ],
)
def test_search_finds(text, found):
    """Words stand in the name, the description or the keywords; qualifiers are those of the public registry."""
    assert Query(text).matches(PACKUMENT) is found


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"author": "Ann"}, id="author as text"),
        pytest.param({"author": None}, id="no author"),
        pytest.param({"keywords": "date"}, id="keywords as text"),
        pytest.param({"keywords": [1, None, {"a": 1}]}, id="keywords that are none"),
        pytest.param({"maintainers": []}, id="no maintainers"),
        pytest.param({"dist-tags": {}}, id="no latest"),
    ],
)
@given(text=st.text("abcdnt :,-@", max_size=30))
def test_any_search_of_any_package_ends(changed, text):
    """Manifests hold what their authors wrote; no search fails by it."""
    query = f"{text} author:ann keywords:date maintainer:ann is:deprecated scope:acme"
    assert Query(query).matches({**PACKUMENT, **changed}) in (True, False)


def test_result_has_what_npm_needs():
    """Each member that npm reads, of the latest version."""
    found = result(PACKUMENT)["package"]
    assert (found["version"], found["date"]) == ("1.0.0", "2026-01-01T00:00:00.000Z")
    assert found["maintainers"] == [{"username": "ann"}, {"username": "Bob"}]
    assert found["publisher"] == {"username": "ann"}
