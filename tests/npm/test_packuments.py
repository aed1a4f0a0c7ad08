"""Packuments: never changed in place, both forms, times that only go forward."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.errors import BadRequest, Conflict, NotFound
from nproxy_mw.npm import packuments
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.versions import parse_version
from nproxy_mw.times import timestamp

NAME = Name("@acme", "utils")
NOON = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)
TEXT = "2026-01-31T12:00:00.123Z"


def manifest(version, **more):
    return {"name": str(NAME), "version": version, "dist": {"integrity": "sha512-x"}, **more}


def packument(*versions, now=NOON, **more):
    document = None
    for version in versions:
        document = packuments.add_version(document, NAME, manifest(version, **more), {"latest": version}, now)
    return document


numbers = st.integers(0, 3)
versions = st.builds(
    lambda a, b, c, pre, build: f"{a}.{b}.{c}" + (f"-rc.{pre}" if pre else "") + (f"+b{build}" if build else ""),
    numbers,
    numbers,
    numbers,
    st.integers(0, 2),
    st.integers(0, 2),
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, TEXT),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC), "2026-01-02T03:04:05.999Z"),
    ],
)
def test_times_are_written_as_npm_writes_them(moment, text):
    """Milliseconds, cut and not rounded, and Z."""
    assert timestamp(moment) == text


def test_first_version_begins_a_packument():
    """Created, modified and the version's own time are one moment."""
    assert packument("1.0.0") == {
        "_id": "@acme/utils",
        "name": "@acme/utils",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {"1.0.0": manifest("1.0.0")},
        "time": {"created": TEXT, "modified": TEXT, "1.0.0": TEXT},
    }


def test_second_version_keeps_the_first():
    """What was there stays as it was, unknown fields too; created stays."""
    first = {**packument("1.0.0"), "unknown": {"kept": True}}
    second = packuments.add_version(first, NAME, manifest("1.1.0"), {"next": "1.1.0"}, NOON + timedelta(hours=1))
    assert second["versions"]["1.0.0"] == first["versions"]["1.0.0"]
    assert second["dist-tags"] == {"latest": "1.0.0", "next": "1.1.0"}
    assert second["unknown"] == {"kept": True}
    assert second["time"]["created"] == TEXT
    assert second["time"]["modified"] == second["time"]["1.1.0"] == "2026-01-31T13:00:00.123Z"


@given(st.lists(versions, unique_by=lambda text: parse_version(text).precedence, min_size=1, max_size=6), st.data())
def test_versions_add_up_and_times_go_forward(some, data):
    """In whatever order and by whatever clock: all are there, modified never goes back, nothing is changed in place."""
    document = None
    for version in some:
        now = NOON + timedelta(milliseconds=data.draw(st.integers(-5000, 5000)))
        before, kept = document, copy.deepcopy(document)
        document = packuments.add_version(document, NAME, manifest(version), {}, now)
        assert before == kept
        if before:
            assert document["time"]["modified"] > before["time"]["modified"]
        assert document["time"]["modified"] == document["time"][version]
    assert set(document["versions"]) == set(some)
    assert document["time"]["modified"] == max(document["time"].values())


@pytest.mark.parametrize(
    ("taken", "version"),
    [
        pytest.param("1.0.0", "1.0.0", id="the same"),
        pytest.param("1.0.0", "1.0.0+a", id="with build metadata"),
        pytest.param("1.0.0+a", "1.0.0", id="without"),
        pytest.param("1.0.0+a", "1.0.0+b", id="with other"),
        pytest.param("1.0.0-rc.1", "1.0.0-rc.1+x", id="of a prerelease"),
    ],
)
def test_version_of_equal_precedence_is_taken(taken, version):
    """npm compares without build metadata: one would hide the other."""
    with pytest.raises(Conflict, match="cannot publish over the previously published version"):
        packument(taken, version)


@pytest.mark.parametrize("version", ["1.0.1", "1.0.0-rc.1", "1.0.0-rc.01x", "0.1.0", "10.0.0"])
def test_other_versions_are_free(version):
    """A neighbour is no collision."""
    assert packument("1.0.0", version)["versions"].keys() == {"1.0.0", version}


def test_later_than_a_clock_that_was_ahead():
    """A host whose clock is behind still moves modified forward, by a millisecond."""
    assert packuments.later(packument("1.0.0"), NOON - timedelta(days=1)) == "2026-01-31T12:00:00.124Z"
    assert packuments.later({"time": {}}, NOON) == TEXT


@pytest.mark.parametrize("modified", ["2027-01-01T00:00:00", "yesterday", "", 12, None, {}, "9999-12-31T23:59:59.999Z"])
def test_later_than_what_names_no_moment(modified):
    """A packument that came from elsewhere can be changed, whatever it has for its last change."""
    assert packuments.later({"time": {"modified": modified}}, NOON) == TEXT


def test_tag_and_untag():
    """Tags point at what is there; modified goes forward with each change."""
    document = packument("1.0.0", "2.0.0")
    tagged = packuments.with_tag(document, "old", "1.0.0", NOON)
    assert tagged["dist-tags"] == {"latest": "2.0.0", "old": "1.0.0"}
    assert tagged["time"]["modified"] > document["time"]["modified"]
    untagged = packuments.without_tag(tagged, "old", NOON)
    assert untagged["dist-tags"] == document["dist-tags"]
    assert untagged["time"]["modified"] > tagged["time"]["modified"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda one: packuments.with_tag(one, "next", "9.0.0", NOON), NotFound, id="absent version"),
        pytest.param(lambda one: packuments.with_tag(one, "^1", "1.0.0", NOON), BadRequest, id="no tag"),
        pytest.param(lambda one: packuments.with_tag(one, "1.x", "1.0.0", NOON), BadRequest, id="a range"),
        pytest.param(lambda one: packuments.without_tag(one, "next", NOON), NotFound, id="absent tag"),
        pytest.param(lambda one: packuments.without_tag(one, "latest", NOON), BadRequest, id="latest"),
        pytest.param(lambda one: packuments.resolve(one, "9.0.0"), NotFound, id="absent to resolve"),
        pytest.param(lambda one: packuments.resolve(one, "toString"), NotFound, id="a name of JavaScript's"),
        pytest.param(
            lambda one: packuments.without_versions(one, frozenset({"1.0.0"}), NOON), ValueError, id="the last"
        ),
    ],
)
def test_change_that_will_not_do(change, error):
    """Each is refused by name."""
    with pytest.raises(error):
        change(packument("1.0.0"))


def test_first_version_gets_latest_too():
    """Whatever tag it is published under; a later one gets its own tag alone."""
    first = packuments.add_version(None, NAME, manifest("1.0.0-beta.1"), {"beta": "1.0.0-beta.1"}, NOON)
    assert first["dist-tags"] == {"latest": "1.0.0-beta.1", "beta": "1.0.0-beta.1"}
    second = packuments.add_version(first, NAME, manifest("1.0.0-beta.2"), {"beta": "1.0.0-beta.2"}, NOON)
    assert second["dist-tags"] == {"latest": "1.0.0-beta.1", "beta": "1.0.0-beta.2"}


def test_latest_brings_its_fields_to_the_top():
    """Description and the like are those of the version that latest names, and go when it has none."""
    document = packument("1.0.0", description="first", keywords=["a"], license="MIT")
    assert (document["description"], document["keywords"], document["license"]) == ("first", ["a"], "MIT")
    second = packuments.add_version(document, NAME, manifest("2.0.0", description="x"), {"latest": "2.0.0"}, NOON)
    assert second["description"] == "x"
    assert "license" not in second
    assert packuments.with_tag(second, "latest", "1.0.0", NOON)["license"] == "MIT"


def test_deprecation_is_set_and_taken_away():
    """An empty message takes the field away; other versions are left alone."""
    document = packument("1.0.0", "2.0.0")
    marked = packuments.with_deprecations(document, {"1.0.0": "use 2"}, NOON)
    assert marked["versions"]["1.0.0"]["deprecated"] == "use 2"
    assert marked["versions"]["2.0.0"] == document["versions"]["2.0.0"]
    cleared = packuments.with_deprecations(marked, {"1.0.0": ""}, NOON)
    assert cleared["versions"] == document["versions"]
    assert document["time"]["modified"] < marked["time"]["modified"] < cleared["time"]["modified"]


@pytest.mark.parametrize(
    ("stored", "gone", "latest"),
    [
        pytest.param(["1.0.0", "2.0.0", "3.0.0"], {"3.0.0"}, "2.0.0", id="the highest left"),
        pytest.param(["1.0.0", "2.0.0-rc.1", "3.0.0"], {"3.0.0"}, "1.0.0", id="stable before prerelease"),
        pytest.param(["1.0.0-a", "1.0.0-b", "3.0.0"], {"3.0.0"}, "1.0.0-b", id="a prerelease when all are"),
        pytest.param(["9.0.0", "10.0.0", "11.0.0"], {"11.0.0"}, "10.0.0", id="numbers, not letters"),
        pytest.param(["1.0.0", "2.0.0", "3.0.0"], {"1.0.0", "2.0.0"}, "3.0.0", id="latest stays"),
    ],
)
def test_versions_go_with_their_times_and_tags(stored, gone, latest):
    """latest is always there and names what is there."""
    document = packuments.with_tag(packument(*stored), "old", next(iter(gone)), NOON)
    left = packuments.without_versions(document, frozenset(gone), NOON)
    assert set(left["versions"]) == set(stored) - gone
    assert left["dist-tags"] == {"latest": latest}
    assert left["time"].keys() == {"created", "modified", *left["versions"]}


def test_resolve_by_number_and_tag():
    """A tag wins over nothing: no tag looks like a version."""
    document = packument("1.0.0", "2.0.0")
    assert packuments.resolve(document, "1.0.0")["version"] == "1.0.0"
    assert packuments.resolve(document, "latest")["version"] == "2.0.0"
