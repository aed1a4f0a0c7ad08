"""Whatever is typed or published is a term of the full-text index, and no part of its language."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.search import index_of, search, summary_of

from nproxy_mw.npm.search import fold, parse_query
from nproxy_mw.packages.search.terms import expression, expression_in_names, expression_of_name

HOSTILE = [
    '"',
    '""" OR name:*',
    "name: x",
    "{name text}: x",
    "a AND b OR NOT c",
    "NEAR(a b, 5)",
    "^a",
    "a*b",
    "a + b",
    "-name : x",
    "x' ; DROP TABLE packages; --",
    "a\0b",
    "(((((((((((",
    "\ue03a",
    "\ud800",
    'keywords:"a" OR "b"',
    "scope:) author:( maintainer:*",
    "\u0130\u0307 \u1e9e \ufb01 \u00aa",
    "a" * 5000,
    "( " * 5000,
]


@pytest.fixture(scope="module")
def connection():
    return index_of(
        summary_of("@acme/or", description="NEAR and NOT", keywords=['a" OR "b', "*"]), summary_of("@acme/x")
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_query_is_a_query(connection, text):
    """The language of FTS5 is not spoken by clients: its words and marks are words and marks."""
    assert set(search(connection, text)) <= {"@acme/or", "@acme/x"}


@given(text=st.text(st.characters(), max_size=100) | st.lists(st.sampled_from(HOSTILE), max_size=4).map(" ".join))
@settings(max_examples=200)
def test_any_query_is_answered(connection, text):
    """No text is an error, in any of the expressions that it becomes."""
    query = parse_query(text)
    for one in (
        expression(query),
        expression_in_names(query),
        expression_of_name(query, beginning=True),
        expression_of_name(query, beginning=False),
    ):
        if one:
            connection.execute("SELECT count(*) FROM terms WHERE terms MATCH ?", [one]).fetchone()
    search(connection, text)


@given(keyword=st.text(st.characters(exclude_characters=',"', exclude_categories=["Cs"]), min_size=1, max_size=60))
@example(keyword="a b")
@example(keyword="\0")
@example(keyword="\xa0x")
def test_keyword_is_found_by_itself(keyword):
    """A keyword of any characters is one term: it is found by all of it, and by no part."""
    connection = index_of(summary_of("@acme/x", keywords=[keyword]))
    if fold(keyword).strip('"'):
        assert search(connection, f'keywords:"{keyword}"') == ["@acme/x"]
    assert search(connection, f'keywords:"{keyword}\u00b6"') == []


def test_tag_is_no_word():
    """What a package is tagged with is not found by words, nor a word by tags."""
    connection = index_of(summary_of("@acme/x", maintainers=["bob"], author="Ann", keywords=["time"]))
    for word in ("deprecated", "scope", "keyword", "bob", "ann", "no", "base"):
        assert search(connection, word) == []
    assert search(connection, "keywords:x") == search(connection, "scope:x") == []
