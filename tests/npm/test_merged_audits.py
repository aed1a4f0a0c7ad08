"""Audits of the upstream merged with this registry's own advisories, whatever the upstream says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
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


def test_what_the_upstream_reports_stays_beside_ours() -> None:
    """Its advisories, its actions, and its counts, to which ours are added."""
    theirs = {
        "advisories": {"9": {"id": 9}},
        "actions": [{"action": "install"}],
        "metadata": {"totalDependencies": 5, "vulnerabilities": {"critical": 1, "low": 2, "high": "many"}},
        "muted": [1],
    }
    found = read(merged_quick(outline(json.dumps(theirs).encode()), {"x": [OURS]}))
    assert (set(found["advisories"]), found["advisories"]["9"]) == ({"9", "12"}, {"id": 9})
    assert [one["action"] for one in found["actions"]] == ["install", "review"]
    counts = {"info": 0, "low": 2, "moderate": 0, "high": 0, "critical": 1 + len(OURS.versions)}
    assert found["metadata"] == {"totalDependencies": 5, "vulnerabilities": counts}
    assert found["muted"] == [1]


def test_report_to_which_nothing_is_added_stays_as_it_is() -> None:
    """Whatever it has and lacks: clients know their upstream."""
    theirs = outline(b'{"advisories": {}, "strange": 1}')
    assert merged_quick(theirs, {}) == merged_quick(theirs, {"x": []}) == theirs


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({"github_advisory_id": "GHSA-1"}, id="by its label"),
        pytest.param({"url": "https://upstream.example/advisories/GHSA-1"}, id="by its address"),
    ],
)
def test_what_the_upstream_knows_is_not_said_twice(known: dict[str, str]) -> None:
    """The same record has several names."""
    report = outline(json.dumps({"advisories": {"9": known}}).encode())
    assert merged_quick(report, {"x": [OURS]}) == report
    answer = outline(json.dumps({"x": [known]}).encode())
    assert read(merged_bulk(answer, {"x": [OURS]}, {"x": ["1.0.0"]})) == {"x": [known]}


def test_answer_about_what_nobody_asked_is_left_out() -> None:
    """Only packages that were asked for are answered about."""
    assert merged_bulk(outline(b'{"y": [{"id": 1}]}'), {}, {"x": ["1.0.0"]}) == {}
