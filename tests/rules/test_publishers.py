"""publisher_change and trust_downgrade."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.histories import NOW, ago, flagged, history_of, packument, said
from support.rule_reference import Reference

from nproxy_mw.rules.publisher_change import PublisherChange
from nproxy_mw.rules.trust_downgrade import TrustDowngrade


def by(*people: str) -> Any:
    """Versions 1.0.0, 1.0.1, ... published by *people*; an empty name for a version that names nobody."""
    return packument(
        versions={
            f"1.0.{place}": {"time": ago(days=len(people) - place)} | ({"_npmUser": {"name": name}} if name else {})
            for place, name in enumerate(people)
        }
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(by(*"aaae"), set(), id="four versions are too few"),
        pytest.param(by(*"aaaae"), {"1.0.4"}, id="five versions: the last one is the last fifth"),
        pytest.param(by(*"aaaaee"), {"1.0.4", "1.0.5"}, id="six: floor(4.8) are the first part"),
        pytest.param(by(*"aaaaaaaee"), {"1.0.7", "1.0.8"}, id="nine: floor(7.2) are the first part"),
        pytest.param(by(*"aaaaaaeee"), set(), id="nine: the seventh is in the first part"),
        pytest.param(by(*"aaaaaaaabe"), {"1.0.8", "1.0.9"}, id="ten: eight are the first part"),
        pytest.param(by(*"abababab", "c", "a"), {"1.0.8"}, id="who published before may again"),
        pytest.param(by(*"aaaa", "", "e"), {"1.0.5"}, id="versions that name nobody are left out"),
        pytest.param(by(*"aaa", "", "e"), set(), id="four names are too few"),
        pytest.param(by("", "", "", "", ""), set(), id="no names"),
    ],
)
def test_publisher_change(document: Any, expected: set[str]) -> None:
    """A version of the last fifth by somebody who published none of the first four fifths."""
    assert flagged(PublisherChange(), history_of(document)) == expected
    assert Reference(document, NOW).publisher_change().keys() == expected


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(by("", "", "", "", ""), True, id="nobody is named"),
        pytest.param(by("a", "a", "", "", "a"), True, id="too few are named"),
        pytest.param(by("", ""), False, id="too few versions anyway"),
        pytest.param(by(*"aaaaa"), False, id="all are named"),
    ],
)
def test_publishers_that_are_not_named(document: Any, says: bool) -> None:
    """Where publishers would be compared and are not named, it says that it cannot tell."""
    verdicts, notes = said(PublisherChange(), history_of(document))
    assert (verdicts, bool(notes)) == ({}, says)


PLAIN: dict[str, Any] = {"dist": {}, "_npmUser": {"name": "ann"}}
PROVEN: dict[str, Any] = {"dist": {"attestations": {"provenance": {"predicateType": "slsa"}}}}
TRUSTED: dict[str, Any] = {**PROVEN, "_npmUser": {"name": "ci", "trustedPublisher": {"id": "github"}}}
STAGED: dict[str, Any] = {**TRUSTED, "_npmUser": {"name": "ci", "approver": {"name": "ann"}}}


def evident(*versions: tuple[str, Any], days: float = 1) -> Any:
    """A package of (version, evidence), one published a day after the other, the last one *days* ago."""
    return packument(
        versions={
            version: {"time": ago(days=days + len(versions) - 1 - place), **evidence}
            for place, (version, evidence) in enumerate(versions)
        }
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(evident(("1.0.0", PROVEN), ("1.0.1", PLAIN)), {"1.0.1"}, id="provenance, then none"),
        pytest.param(evident(("1.0.0", TRUSTED), ("1.0.1", PROVEN)), {"1.0.1"}, id="trusted, then provenance"),
        pytest.param(evident(("1.0.0", STAGED), ("1.0.1", TRUSTED)), {"1.0.1"}, id="staged, then trusted"),
        pytest.param(evident(("1.0.0", PLAIN), ("1.0.1", PROVEN)), set(), id="more evidence"),
        pytest.param(evident(("1.0.0", PROVEN), ("1.0.1", PROVEN)), set(), id="the same evidence"),
        pytest.param(evident(("1.0.0", PLAIN), ("1.0.1", PLAIN)), set(), id="no version has any"),
        pytest.param(evident(("1.0.0", PROVEN), ("2.0.0", PLAIN)), set(), id="another major version"),
        pytest.param(evident(("1.0.0-rc", PROVEN), ("1.0.0", PLAIN)), set(), id="only a prerelease had it"),
        pytest.param(evident(("1.0.0", PROVEN), ("1.1.0-rc", PLAIN)), {"1.1.0-rc"}, id="a prerelease lost it"),
        pytest.param(
            evident(("1.0.0", PROVEN), ("1.0.1", PLAIN), ("1.0.2", PLAIN), ("1.0.3", PROVEN)),
            {"1.0.1", "1.0.2"},
            id="until it has it again",
        ),
        pytest.param(evident(("1.1.0", PROVEN), ("1.0.1", PLAIN)), set(), id="times of a mirror: by number"),
        pytest.param(
            evident(*((f"1.{minor}.0", PROVEN) for minor in range(5)), ("1.0.1", PLAIN)),
            {"1.0.1"},
            id="earlier is by publication",
        ),
        pytest.param(evident(("1.0.0", PROVEN), ("1.0.1", PLAIN), days=365), set(), id="exactly 365 days old"),
        pytest.param(evident(("1.0.0", PROVEN), ("1.0.1", PLAIN), days=364.99), {"1.0.1"}, id="less than 365 days old"),
        pytest.param(
            packument(versions={"1.0.0": PROVEN, "1.0.1": PLAIN}), {"1.0.1"}, id="no times: by number, without an end"
        ),
    ],
)
def test_trust_downgrade(document: Any, expected: set[str]) -> None:
    """Evidence below the best of the earlier stable versions of the same major."""
    assert flagged(TrustDowngrade(), history_of(document), ignoreAfterDays=365) == expected
    assert Reference(document, NOW).trust_downgrade(365).keys() == expected


def test_trust_downgrade_says() -> None:
    """It says what was there and what is, and when it is forgiven."""
    verdicts, _ = said(TrustDowngrade(), history_of(evident(("1.0.0", STAGED), ("1.0.1", PLAIN))), ignoreAfterDays=365)
    assert verdicts["1.0.1"].reason == "it has no provenance, where earlier versions have an approved staged publish"
    assert verdicts["1.0.1"].until == NOW + timedelta(days=364)


def test_no_days_are_off() -> None:
    """With 0 days, every age is too old to be flagged."""
    document = packument(versions={"1.0.0": PROVEN, "1.0.1": PLAIN})
    assert flagged(TrustDowngrade(), history_of(document), ignoreAfterDays=0) == set()


def test_upstream_without_attestations() -> None:
    """A mirror that passes on neither publishers nor attestations gives no answer, and that is said."""
    verdicts, notes = said(TrustDowngrade(), history_of(packument(versions={"1.0.0": {}})), ignoreAfterDays=365)
    assert (verdicts, notes) == ({}, ["the upstream does not pass on attestations"])
    assert said(TrustDowngrade(), history_of(packument()), ignoreAfterDays=365) == ({}, [])
