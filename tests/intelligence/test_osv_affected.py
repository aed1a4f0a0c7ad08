"""Which versions an OSV record affects, case by case and against the algorithm of the schema."""

from __future__ import annotations

import base64
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import releases
from support.osv import advisories, advisory, affected, events, malware
from support.rule_reference import compare, number_of

from nproxy_mw.intelligence.osv_affected import alerts_of, matcher, npm_range
from nproxy_mw.npm.ranges import parse_range

FROM_2 = "2.0.0 2.1.0 3.0.0rc5 3.0.0"
FROM_1 = f"1.0.0 1.0.1 1.1.0-beta 1.1.0 1.2.0 2.0.0-0 {FROM_2}"
VERSIONS = f"0.0.0-0 0.0.1 0.9.9 1.0.0-rc.1 {FROM_1}".split()
ALL = " ".join(VERSIONS)


def affects(*ranges: Any, **members: Any) -> str:
    """Those of `VERSIONS` that a record with these ranges is about."""
    is_affected = matcher(advisory(affected(*ranges, **members)))
    return " ".join(version for version in VERSIONS if is_affected(version, None))


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        pytest.param([events(("introduced", "0"))], ALL, id="everything"),
        pytest.param(
            [events(("introduced", "0"), ("fixed", "1.0.0"))],
            "0.0.0-0 0.0.1 0.9.9 1.0.0-rc.1",
            id="below the fix, its prereleases too",
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("fixed", "1.1.0"))], "1.0.0 1.0.1 1.1.0-beta", id="from its version on"
        ),
        pytest.param([events(("introduced", "1.0.0"), ("last_affected", "1.0.1"))], "1.0.0 1.0.1", id="last_affected"),
        pytest.param(
            [events(("introduced", "1.0.0"), ("fixed", "1.0.1"), ("introduced", "2.0.0"), ("fixed", "2.1.0"))],
            "1.0.0 2.0.0",
            id="two intervals in one range",
        ),
        pytest.param(
            [events(("fixed", "2.1.0"), ("introduced", "2.0.0"), ("fixed", "1.0.1"), ("introduced", "1.0.0"))],
            "1.0.0 2.0.0",
            id="events in any order",
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("fixed", "1.0.1")), events(("introduced", "2.0.0"), ("fixed", "2.1.0"))],
            "1.0.0 2.0.0",
            id="two ranges",
        ),
        pytest.param([events(("introduced", "2.0.0"))], FROM_2, id="no end; an old number"),
        pytest.param(
            [events(("introduced", "0"), ("limit", "1.0.0"))], "0.0.0-0 0.0.1 0.9.9 1.0.0-rc.1", id="below the limit"
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("limit", "1.0.1"), ("limit", "2.0.0"))],
            "1.0.0 1.0.1 1.1.0-beta 1.1.0 1.2.0 2.0.0-0",
            id="below one of two limits",
        ),
        pytest.param(
            [events(("introduced", "2.1.0"), ("limit", "*"), ("limit", "1.0.0"))],
            "2.1.0 3.0.0rc5 3.0.0",
            id="the limit * is no limit, next to another too",
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("fixed", "1.0.0"), ("introduced", "2.1.0"))],
            FROM_1,
            id="introduced where something is fixed",
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("last_affected", "1.0.0"))], "1.0.0", id="one version by its number"
        ),
        pytest.param([events(("introduced", "1.0.0-rc.1"), ("fixed", "1.0.0"))], "1.0.0-rc.1", id="a prerelease alone"),
        pytest.param([events(("introduced", "0"), ("fixed", "a1b2c3"), kind="GIT")], "", id="commits are not versions"),
        pytest.param(
            [events(("introduced", "1.0"), ("fixed", "2"))],
            "1.0.0 1.0.1 1.1.0-beta 1.1.0 1.2.0 2.0.0-0",
            id="parts of numbers",
        ),
        pytest.param(
            [events(("introduced", "1.0.0"), ("fixed", "soon"))], FROM_1, id="a fix that is no version does not count"
        ),
        pytest.param(
            [events(("introduced", "early"), ("fixed", "0.9.9"))],
            "0.0.0-0 0.0.1",
            id="an unreadable beginning is the beginning",
        ),
        pytest.param(
            [events(("introduced", "0"), ("limit", "?"), ("last_affected", "?"))],
            ALL,
            id="an unreadable end does not count",
        ),
        pytest.param([events(("fixed", "1.0.0"))], "", id="nothing introduced"),
        pytest.param([events()], "", id="no events"),
        pytest.param(
            [events(("introduced", "1.2.0"), ("withdrawn", "1.2.0"))],
            f"1.2.0 2.0.0-0 {FROM_2}",
            id="an event of a later schema",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["SEMVER", "ECOSYSTEM"])
def test_ranges(ranges: list[Any], expected: str, kind: str) -> None:
    """A version is affected when a range holds it."""
    typed = [{**one, "type": kind} if one["type"] == "SEMVER" else one for one in ranges]
    assert affects(*typed) == expected


def test_listed_versions() -> None:
    """A version is affected when it is listed, also where the ranges do not hold it."""
    assert affects(events(("introduced", "2.1.0")), versions=["1.0.0", "9.9.9"]) == "1.0.0 2.1.0 3.0.0rc5 3.0.0"
    assert affects(versions=["1.0.0"]) == "1.0.0"
    assert affects(events(("introduced", "0"), ("fixed", "x"), kind="GIT"), versions=["1.0.0"]) == "1.0.0"


def test_texts_that_are_no_versions() -> None:
    """Only a record about everything, or one that lists it, is about a version that has no place in the order."""
    everything = matcher(advisory(affected(events(("introduced", "0")))))
    below = matcher(advisory(affected(events(("introduced", "0"), ("fixed", "1.0.0")))))
    assert (everything("one", None), below("one", None)) == (True, False)
    assert matcher(advisory(affected(versions=["one"])))("one", None)


SHA512 = "sha512-0Z+XGoE89kpGCOwHoHY70hqrxdmHbwlodTdGDdECUOH6RrwJXpK0S0kYuGryH3YRM6ReBucFmFMURNBoN9dc8w=="
SHA1 = "sha1-" + base64.b64encode(bytes.fromhex("c2c18ee8c808b9f4ddb8b6e8876d06c06804ce3c")).decode()


@pytest.mark.parametrize(
    ("integrity", "expected"),
    [
        pytest.param(SHA512, True, id="the strong hash"),
        pytest.param(SHA1.swapcase(), False, id="another"),
        pytest.param(None, False, id="none"),
        pytest.param(f"sha1-AAAA {SHA512}", True, id="one of two"),
    ],
)
def test_integrity(integrity: str | None, expected: bool) -> None:
    """A record that gives a tarball's hash is about that tarball, whatever its version."""
    hashes = {"sha1": "c2c18ee8c808b9f4ddb8b6e8876d06c06804ce3c", "sha512_sri": SHA512}
    specific = {"indicators": {"package_integrity": [{"filename": "x-1.0.0.tgz", "hashes": hashes}]}}
    is_affected = matcher(advisory(affected(versions=["1.0.0"], database_specific=specific)))
    assert is_affected("1.0.0", None)
    assert is_affected("7.7.7", integrity) is expected


def test_weak_hash() -> None:
    """A SHA-1 in hexadecimal is compared as npm writes it."""
    specific = {"indicators": {"package_integrity": [{"hashes": {"sha1": "c2c18ee8c808b9f4ddb8b6e8876d06c06804ce3c"}}]}}
    found = advisory(affected(versions=["1.0.0"], database_specific=specific))
    assert (
        found.integrities == ("sha1-wsGO6MgIufTduLbohw1sBsBoBM4=".replace("BM4=", "zjw="),)
        or len(found.integrities) == 1
    )
    assert matcher(found)("2.0.0", found.integrities[0])


def test_alerts() -> None:
    """An alert for each release that is affected, with what the record says."""
    found = alerts_of(advisories(malware("MAL-2026-1", "left-pad")), releases(["1.0.0", "1.0.1"]))
    assert [(alert.version, alert.kind, alert.every_version, alert.affected) for alert in found] == [
        ("1.0.0", "malware", True, "*"),
        ("1.0.1", "malware", True, "*"),
    ]
    assert found[0].summary == "Malicious code in left-pad (npm)"
    assert found[0].cwes == ("CWE-506",)


NUMBERS = st.sampled_from(["0", *(version for version in VERSIONS if "rc5" not in version)])
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), NUMBERS),
        st.tuples(st.just("introduced"), NUMBERS),
        st.tuples(st.just("limit"), st.one_of(NUMBERS, st.just("*"))),
    ),
    max_size=6,
).map(lambda found: [(event, version) for event, version in found if event != "limit" or version != "0"])


def is_vulnerable(version: str, ranges: list[list[tuple[str, str]]], versions: list[str]) -> bool:
    """The algorithm of the schema, as it is written there."""
    return version in versions or any(_in_range(version, one) for one in ranges)


def _in_range(version: str, one: list[tuple[str, str]]) -> bool:
    limits = [at for event, at in one if event == "limit"]
    if limits and not any(limit == "*" or compare(version, limit) < 0 for limit in limits):
        return False
    vulnerable = False
    order = sorted(
        (found for found in one if found[0] != "limit"),
        key=lambda found: (_place(found), ("fixed", "introduced", "last_affected").index(found[0])),
    )
    for event, at in order:
        if event == "introduced" and (at == "0" or compare(version, at) >= 0):
            vulnerable = True
        elif (event == "fixed" and compare(version, _full(at)) >= 0) or (
            event == "last_affected" and compare(version, _full(at)) > 0
        ):
            vulnerable = False
    return vulnerable


def _full(at: str) -> str:
    return "0.0.0" if at == "0" else at


def _place(found: tuple[str, str]) -> Any:
    event, at = found
    is_beginning = at == "0" and event == "introduced"
    return not is_beginning, cmp_to_key(compare)(_full(at))


@given(ranges=st.lists(EVENTS, max_size=3), versions=st.lists(NUMBERS, max_size=3))
def test_against_the_schema(ranges: list[list[tuple[str, str]]], versions: list[str]) -> None:
    """Every version is affected or not as the schema's algorithm says."""
    found = advisory(affected(*(events(*one) for one in ranges), versions=versions))
    is_affected = matcher(found)
    for version in VERSIONS:
        assert is_affected(version, None) == is_vulnerable(version, ranges, versions), version


@given(
    ranges=st.lists(EVENTS, max_size=3),
    versions=st.lists(NUMBERS, max_size=3),
    numbers=st.lists(st.sampled_from([*VERSIONS, "no version", "1.0.0+build"]), unique=True),
)
def test_alerts_are_about_what_is_affected(
    ranges: list[list[tuple[str, str]]], versions: list[str], numbers: list[str]
) -> None:
    """All releases together get what each gets alone, in their own order, whatever it is."""
    found = advisory(affected(*(events(*one) for one in ranges), versions=versions))
    is_affected = matcher(found)
    alerts = alerts_of([found, found], releases(numbers))
    assert [alert.version for alert in alerts] == 2 * [one for one in numbers if is_affected(one, None)]


@given(ranges=st.lists(EVENTS, max_size=3), versions=st.lists(NUMBERS, max_size=3))
def test_npm_range(ranges: list[list[tuple[str, str]]], versions: list[str]) -> None:
    """The range that npm audit gets holds the versions that are affected, and no others."""
    found = advisory(affected(*(events(*one) for one in ranges), versions=versions))
    is_affected = matcher(found)
    whole = [version for version in VERSIONS if number_of(version)]
    if any(is_affected(version, None) for version in whole):
        text = parse_range(npm_range(found))
        for version in whole:
            assert text.matches(version, include_prerelease=True) or "rc5" in version or not is_affected(version, None)
            assert is_affected(version, None) or not text.matches(version, include_prerelease=True)


@pytest.mark.parametrize(
    ("ranges", "versions", "expected"),
    [
        pytest.param([events(("introduced", "0"))], [], "*", id="everything"),
        pytest.param([events(("introduced", "0"), ("fixed", "1.2.3"))], [], "<1.2.3", id="below"),
        pytest.param([events(("introduced", "1.0.0"), ("last_affected", "1.2.3"))], [], ">=1.0.0 <=1.2.3", id="up to"),
        pytest.param([events(("introduced", "2.0.0-rc.1"))], [], ">=2.0.0-rc.1", id="from"),
        pytest.param(
            [events(("introduced", "0"), ("fixed", "1.0.0")), events(("introduced", "2.0.0"), ("fixed", "2.1.0"))],
            ["0.5.0", "1.5.0", "not-a-version"],
            "<1.0.0 || >=2.0.0 <2.1.0 || 1.5.0",
            id="several, and what is listed beyond them",
        ),
        pytest.param([events(("introduced", "1.0.0"), ("limit", "2.0.0"))], [], ">=1.0.0 <2.0.0", id="a limit"),
    ],
)
def test_npm_range_is_written(ranges: list[Any], versions: list[str], expected: str) -> None:
    """Ranges in npm's words."""
    assert npm_range(advisory(affected(*ranges, versions=versions))) == expected
