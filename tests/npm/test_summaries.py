"""What a list of packages shows of each one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.npm.summaries import MAX_ITEMS, MAX_TEXT, search_result, summary

PACKUMENT = {
    "name": "@acme/date-utils",
    "description": "Dates, parsed twice",
    "keywords": ["Date", "time"],
    "author": {"name": "Ann Lee", "email": "ann@acme.example"},
    "license": "MIT",
    "maintainers": [{"name": "ann", "email": ""}, {"name": "Bob"}],
    "dist-tags": {"latest": "1.0.0"},
    "time": {
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-03-01T00:00:00.000Z",
        "1.0.0": "2026-01-01T00:00:00.000Z",
        "2.0.0-rc.1": "2026-03-01T00:00:00.000Z",
    },
    "versions": {
        "1.0.0": {"version": "1.0.0", "_npmUser": {"name": "ann"}, "deprecated": "old"},
        "2.0.0-rc.1": {"version": "2.0.0-rc.1", "_npmUser": {"name": "bob"}},
    },
}


def test_summary_is_about_the_latest_version():
    """Version, publisher, date and deprecation are those of the version that latest names."""
    assert summary(PACKUMENT) == {
        "name": "@acme/date-utils",
        "version": "1.0.0",
        "latest": "1.0.0",
        "description": "Dates, parsed twice",
        "keywords": ["Date", "time"],
        "author": "Ann Lee",
        "license": "MIT",
        "maintainers": ["ann", "Bob"],
        "publisher": "ann",
        "deprecated": "old",
        "date": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "modifiedAt": "2026-03-01T00:00:00.000Z",
        "versionCount": 2,
    }


def test_newest_version_stands_in_for_latest():
    """A package without latest, or whose latest is gone, is shown by its newest version."""
    for tags in ({}, {"latest": "9.9.9"}):
        shown = summary({**PACKUMENT, "dist-tags": tags})
        assert (shown["version"], shown["publisher"], shown["latest"]) == ("2.0.0-rc.1", "bob", tags.get("latest"))


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        pytest.param("keywords", "date, time  zone", ["date", "time", "zone"], id="keywords as text"),
        pytest.param("keywords", [1, None, {"a": 1}, "", "x"], ["x"], id="keywords that are none"),
        pytest.param("keywords", {"a": 1}, [], id="keywords as an object"),
        pytest.param("keywords", None, [], id="no keywords"),
        pytest.param("author", "Ann <ann@acme.example> (https://acme.example)", "Ann", id="author as text"),
        pytest.param("author", ["Ann"], "", id="author as a list"),
        pytest.param("author", {"name": 1}, "", id="author whose name is none"),
        pytest.param("description", {"a": 1}, "", id="description as an object"),
        pytest.param("license", {"type": "MIT"}, "", id="license as an object"),
        pytest.param("maintainers", [], [], id="no maintainers"),
        pytest.param("maintainers", [None, "bob <b@acme.example>"], ["bob"], id="maintainer as text"),
    ],
)
def test_field_is_shown_only_as_what_it_is(field, value, shown):
    """Manifests hold what their authors wrote: what npm would stumble over is left out."""
    assert summary({**PACKUMENT, field: value})[field] == shown


def test_summary_is_bounded():
    """However much a manifest says."""
    huge = {**PACKUMENT, "description": "x" * 10_000, "keywords": ["k" * 1000] * 1000}
    shown = summary(huge)
    assert (len(shown["description"]), len(shown["keywords"])) == (MAX_TEXT, MAX_ITEMS)
    assert len(shown["keywords"][0]) == 100


@pytest.mark.parametrize("time", ["yesterday", None, 1, {}])
def test_time_that_is_none_is_left_out(time):
    """npm makes a date of it, and fails on one that is none."""
    assert summary({**PACKUMENT, "time": {"1.0.0": time}})["date"] is None


def test_result_has_what_npm_needs():
    """Each member that npm reads: it stops at a result that lacks one."""
    assert search_result(summary(PACKUMENT))["package"] == {
        "name": "@acme/date-utils",
        "version": "1.0.0",
        "description": "Dates, parsed twice",
        "keywords": ["Date", "time"],
        "date": "2026-01-01T00:00:00.000Z",
        "license": "MIT",
        "links": {},
        "publisher": {"username": "ann"},
        "maintainers": [{"username": "ann"}, {"username": "Bob"}],
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from(["description", "keywords", "author", "license", "maintainers"]), ANYTHING)
def test_any_field_can_be_shown(field, value):
    """No field of a manifest keeps its package out of the list."""
    if field == "maintainers" and not isinstance(value, list):
        return  # this field is the registry's own
    assert summary({**PACKUMENT, field: value})["name"] == "@acme/date-utils"
