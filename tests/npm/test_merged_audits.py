"""Audits of the upstream merged with this registry's own advisories, whatever the upstream says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.npm.audits import SEVERITIES, OwnAdvisory, merged_bulk, merged_quick
from nproxy_mw.npm.slices import outline

OURS = OwnAdvisory(
    frozenset({"MAL-1", "GHSA-1"}),
    ["1.0.0", "1.0.1"],
    {"id": 12, "url": "", "title": "Bad", "severity": "critical", "vulnerable_versions": "*"},
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
advisories = json_values | st.fixed_dictionaries(
    {}, optional={"id": json_values, "url": json_values, "vulnerable_versions": json_values}
)


def read(members: Any) -> Any:
    return json.loads(msgspec.json.encode(members))


@given(theirs=json_values | st.lists(advisories, max_size=3))
def test_bulk_is_always_readable(theirs: Any) -> None:
    """Ours is there, and every advisory is an object whose range, where it has one, is a text."""
    found = read(merged_bulk(outline(json.dumps({"x": theirs, "y": []}).encode()), {"x": [OURS]}, {"x": ["1.0.0"]}))
    assert list(found) == ["x"]
    assert found["x"][-1] == OURS.document
    assert all(isinstance(one, dict) and isinstance(one.get("vulnerable_versions", ""), str) for one in found["x"])


@given(theirs=st.dictionaries(st.sampled_from(["advisories", "actions", "metadata", "muted"]), json_values))
def test_quick_is_always_readable(theirs: Any) -> None:
    """Ours is there with an action, and it is counted once for each version."""
    found = read(merged_quick(outline(json.dumps(theirs).encode()), {"x": [OURS]}))
    assert found["advisories"]["12"]["module_name"] == "x"
    assert found["actions"][-1]["resolves"][0]["id"] == 12
    assert set(found["metadata"]["vulnerabilities"]) == set(SEVERITIES)
    assert found["metadata"]["vulnerabilities"]["critical"] >= len(OURS.versions)


def test_answer_about_what_nobody_asked_is_left_out() -> None:
    """Only packages that were asked for are answered about."""
    assert merged_bulk(outline(b'{"y": [{"id": 1}]}'), {}, {"x": ["1.0.0"]}) == {}
