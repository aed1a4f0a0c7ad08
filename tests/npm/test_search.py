"""What people type after npm search."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.npm.search import MAX_WORD, MAX_WORDS, fold, parse_query, words_in


@pytest.mark.parametrize(
    ("text", "words", "qualifiers"),
    [
        pytest.param("", [], {}, id="nothing"),
        pytest.param("dates  PARSED dates", ["dates", "parsed"], {}, id="words in any case, once"),
        pytest.param("@acme/date-utils.js", ["acme", "date", "utils", "js"], {}, id="a name"),
        pytest.param("Caf\u00e9 \u00dcber", ["cafe", "uber"], {}, id="accents"),
        pytest.param("\u65e5\u672c", ["\u65e5\u672c"], {}, id="not Latin"),
        pytest.param("scope:acme", [], {"scope": ["acme"]}, id="scope"),
        pytest.param("SCOPE:@Acme", [], {"scope": ["acme"]}, id="scope with its @"),
        pytest.param("keywords:a,B,,a x", ["x"], {"keyword": ["a", "b"]}, id="keywords"),
        pytest.param("keywords:, x", ["x"], {"keyword": [","]}, id="no keyword"),
        pytest.param('author:"Ann Lee" "big data"', ["big", "data"], {"author": ["ann lee"]}, id="quotes"),
        pytest.param("author:ann maintainer:bob", [], {"author": ["ann"], "maintainer": ["bob"]}, id="people"),
        pytest.param("is:deprecated", [], {"deprecated": ["yes"]}, id="deprecated"),
        pytest.param("not:deprecated x", ["x"], {"deprecated": ["no"]}, id="not deprecated"),
        pytest.param("not:unstable boost-exact:false x", ["x"], {}, id="what is not kept"),
        pytest.param("boost-exact:deprecated x", ["x"], {}, id="a value of another qualifier"),
        pytest.param("scope:", ["scope"], {}, id="without a value: a word"),
        pytest.param('author:""', ["author"], {}, id="with an empty value: a word"),
        pytest.param("http://x", ["http", "x"], {}, id="no qualifier: words"),
        pytest.param('"open', ["open"], {}, id="quote without an end"),
    ],
)
def test_query_is_taken_apart(text, words, qualifiers):
    """Words and qualifiers, as the public registry understands them."""
    query = parse_query(text)
    assert list(query.words) == words
    assert {kind: list(values) for kind, values in query.qualifiers} == qualifiers


@pytest.mark.parametrize(
    ("text", "phrase"),
    [("Date-Utils", "date-utils"), ("keywords:x  date  utils", "date utils"), ("keywords:x", ""), ("***", "***")],
)
def test_phrase_is_what_was_typed_without_qualifiers(text, phrase):
    """It is what the name of the one package is compared with."""
    assert parse_query(text).phrase == phrase


def test_query_is_bounded():
    """Of many words the first are looked for, and of a long one its beginning."""
    many = " ".join(f"word{n} keywords:{','.join(f'k{m}' for m in range(50))} scope:s{n}" for n in range(100))
    query = parse_query(many + " " + "x" * 1000)
    assert query.words == tuple(f"word{n}" for n in range(MAX_WORDS))
    assert len(query.qualifiers) <= MAX_WORDS
    assert all(len(values) <= MAX_WORDS for _, values in query.qualifiers)
    assert parse_query("x" * 1000).words == ("x" * MAX_WORD,)


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_a_query(text):
    """Words are letters and digits in lower case, whatever is typed."""
    query = parse_query(text)
    assert all(re.fullmatch(r"[^\W_]+", word) for word in query.words)
    assert len(query.words) <= MAX_WORDS


@given(st.text(st.characters(), max_size=50))
def test_what_reads_alike_folds_alike(text):
    """Folding twice changes nothing, and upper case folds as lower case where one is the other's."""
    folded = fold(text)
    assert fold(folded) == folded
    assert fold(unicodedata.normalize("NFC", folded)) == folded
    assert list(words_in(text)) == list(words_in(folded))
    folded.encode()
