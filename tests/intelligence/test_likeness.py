"""Names that could be mistaken for others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.intelligence.likeness import likeness
from nproxy_mw.intelligence.popular import POPULAR

SOME = frozenset({"lodash", "express", "cross-env", "socket.io", "@babel/core", "vue", "JSONStream"})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("lodas", "lodash", id="a character less"),
        pytest.param("lodashs", "lodash", id="a character more"),
        pytest.param("1odash", "lodash", id="another character"),
        pytest.param("loadsh", "lodash", id="two neighbors swapped"),
        pytest.param("crossenv", "cross-env", id="no separator"),
        pytest.param("cross_env", "cross-env", id="another separator"),
        pytest.param("socketio", "socket.io", id="no dot"),
        pytest.param("babelcore", "@babel/core", id="no scope"),
        pytest.param("Express", "express", id="another case"),
        pytest.param("jsonstream", "JSONStream", id="another case of theirs"),
        pytest.param("lodash", None, id="itself"),
        pytest.param("ldsh", None, id="two characters less"),
        pytest.param("lodash-es", None, id="a longer name"),
        pytest.param("vues", None, id="too short a name to be mistaken for"),
        pytest.param("vu", None, id="too short"),
        pytest.param("x" * 300, None, id="too long"),
    ],
)
def test_likeness(name: str, expected: str | None) -> None:
    """One edit away, or the same but for separators."""
    assert likeness(name, SOME) == expected


def distance(one: str, other: str) -> int:
    """The edits between two texts: a character more, less, another, or two neighbors swapped."""
    rows = [
        [place + column if not place or not column else 0 for column in range(len(other) + 1)]
        for place in range(len(one) + 1)
    ]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            same = one[i - 1] == other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


NAMES = st.text("ab-", min_size=3, max_size=7)


@given(name=NAMES, popular=st.frozensets(NAMES, max_size=6))
def test_against_every_distance(name: str, popular: frozenset[str]) -> None:
    """What the index finds is what a comparison with every name finds."""
    plain = name.replace("-", "")
    near = {one for one in popular if len(one) >= 4 and (distance(name, one) <= 1 or one.replace("-", "") == plain)}
    expected = min(near) if near and name not in popular and len(name) >= 4 else None
    assert likeness(name, popular) == expected


def test_shipped_names() -> None:
    """The shipped list has names that attacks imitated, and none that npm would not take."""
    assert {"express", "cross-env", "chalk", "axios", "ua-parser-js"} <= POPULAR
    assert all(name == name.lower() and len(name) <= 214 for name in POPULAR)
    assert len(POPULAR) > 350
