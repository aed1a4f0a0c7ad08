"""The facts that rules read: each by itself, whatever its neighbors hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nproxy_mw.npm.facts import NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History, Release
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.slices import outline, split

MOMENT = datetime(2020, 1, 2, tzinfo=UTC)


def history(document: Any) -> History:
    return read_history(split(outline(orjson.dumps(document)), "lodash"))


def release(**manifest: Any) -> Release:
    """The one release of a package, as its manifest describes it."""
    return history({"versions": {"1.0.0": manifest}}).releases[0]


def test_history_is_what_the_packument_says() -> None:
    """Releases in their order, tags, times, people, and what was removed."""
    found = history(
        {
            "dist-tags": {"latest": "2.0.0"},
            "versions": {"1.0.5beta": {}, "2.0.0": {}},
            "time": {
                "created": "2020-01-01T00:00:00.000Z",
                "modified": "2020-01-03T00:00:00.000+01:00",
                "1.0.5beta": "2020-01-02T00:00:00Z",
                "2.0.0": "no time",
                "3.0.0": "2020-01-02T00:00:00Z",
            },
            "maintainers": [{"name": "ann"}, "bob <bob@example>", {"email": "x"}, 7],
        }
    )
    assert [(one.version, one.published) for one in found.releases] == [("1.0.5beta", MOMENT), ("2.0.0", None)]
    assert (found.name, found.tags, found.removed) == ("lodash", {"latest": "2.0.0"}, frozenset({"3.0.0"}))
    assert (found.created, found.modified) == (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, 23, tzinfo=UTC))
    assert found.maintainers == ("ann", "bob")


def test_created_has_a_stand_in() -> None:
    """Without a time of creation, the earliest of any version stands in, of removed ones too."""
    times = {"modified": "2019-01-01T00:00:00Z", "1.0.0": "2020-01-02T00:00:00Z", "2.0.0": "2021-01-01T00:00:00Z"}
    assert history({"versions": {"2.0.0": {}}, "time": times}).created == MOMENT
    assert history({"versions": {"2.0.0": {}}, "time": {**times, "created": "never"}}).created == MOMENT
    assert history({"versions": {"2.0.0": {}}, "time": {"modified": "2019-01-01T00:00:00Z"}}).created is None


def test_release_is_what_the_manifest_says() -> None:
    """Every field that is read, given as npm documents it."""
    assert release(
        dependencies={"a": "^1"},
        optionalDependencies={"b": "^2"},
        scripts={"install": "x", "prepare": "y", "test": "z", "postinstall": ""},
        gypfile=True,
        _npmUser={"name": "ann"},
        deprecated="old",
        dist={"integrity": "sha512-x", "unpackedSize": 7, "fileCount": 3},
    ) == Release(
        version="1.0.0",
        dependencies={"a": "^1"},
        optional_dependencies={"b": "^2"},
        scripts={"install": "x", "prepare": "y"},
        gypfile=True,
        publisher="ann",
        evidence=NO_EVIDENCE,
        integrity="sha512-x",
        unpacked_size=7,
        file_count=3,
        deprecated=True,
    )


def test_what_is_not_said_is_absent() -> None:
    """A rule can tell "no" from "cannot tell"."""
    assert release() == Release(version="1.0.0")
    assert history({"versions": {}}) == History(name="lodash")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dependencies", ["a"]),
        ("optionalDependencies", "a"),
        ("scripts", "node-gyp rebuild"),
        ("scripts", [1]),
        ("_npmUser", "ann <ann@example>"),
        ("_npmUser", [{"name": "ann"}]),
        ("dist", []),
        ("gypfile", None),
        ("deprecated", False),
        ("deprecated", ""),
    ],
)
def test_value_of_another_type_counts_as_absent(field: str, value: Any) -> None:
    """And costs the neighbors nothing."""
    found = release(**{field: value, "dependencies": {"a": "1"}} if field != "dependencies" else {field: value})
    assert found.dependencies == ({"a": "1"} if field != "dependencies" else {})
    assert (found.scripts, found.publisher, found.integrity, found.gypfile, found.deprecated) == (
        {},
        None,
        None,
        False,
        False,
    )


def test_odd_entries_cost_only_themselves() -> None:
    """A dependency that is no text, a size that is one."""
    found = release(
        dependencies={"a": "1", "b": {"version": "2"}, "c": None}, dist={"unpackedSize": "7", "fileCount": 1.5}
    )
    assert (found.dependencies, found.unpacked_size, found.file_count) == ({"a": "1"}, None, None)


ATTESTED = {"attestations": {"provenance": {"predicateType": "x"}}}


@pytest.mark.parametrize(
    ("manifest", "evidence"),
    [
        pytest.param({"_npmUser": {"name": "a"}}, NO_EVIDENCE, id="a user alone"),
        pytest.param({"dist": ATTESTED}, PROVENANCE, id="provenance"),
        pytest.param({"dist": {"attestations": {}}}, NO_EVIDENCE, id="attestations without provenance"),
        pytest.param({"_npmUser": {"trustedPublisher": {"id": "x"}}}, NO_EVIDENCE, id="publisher without provenance"),
        pytest.param({"_npmUser": {"trustedPublisher": {"id": "x"}}, "dist": ATTESTED}, TRUSTED_PUBLISHER, id="both"),
        pytest.param({"_npmUser": {"approver": {"name": "b"}}}, STAGED, id="approved by a second person"),
        pytest.param(
            {"_npmUser": {"approver": None, "trustedPublisher": ""}, "dist": ATTESTED}, PROVENANCE, id="falsy"
        ),
    ],
)
def test_evidence_is_ranked(manifest: dict[str, Any], evidence: int) -> None:
    """As pnpm ranks it."""
    assert release(**manifest).evidence == evidence


def test_mirror_that_tells_no_builder_has_no_evidence_either_way() -> None:
    """One version with the fields is enough to know that the upstream passes them on."""
    assert history({"versions": {"1.0.0": {}, "2.0.0": {}}}).releases[0].evidence is None
    told = history({"versions": {"1.0.0": {}, "2.0.0": {"dist": ATTESTED}}}).releases
    assert [one.evidence for one in told] == [NO_EVIDENCE, PROVENANCE]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("dependencies", "optionalDependencies", "scripts", "gypfile", "_npmUser", "deprecated", "dist")


@given(st.dictionaries(st.sampled_from(FIELDS), values), st.dictionaries(st.text(max_size=5), values), values)
def test_any_manifest_has_facts(manifest: Any, times: Any, people: Any) -> None:
    """Whatever stands in it, reading raises nothing."""
    found = history({"versions": {"1.0.0": manifest}, "time": times, "maintainers": people})
    assert [one.version for one in found.releases] == ["1.0.0"]
