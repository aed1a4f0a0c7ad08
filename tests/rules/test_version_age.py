"""version_age: by when the version was published, and the fixes that are let through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.histories import NOW, ago, flagged, history_of, packument, rules_of, said
from support.rule_reference import Reference

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge, outcomes
from nproxy_mw.rules.port import Knowledge, Recheck
from nproxy_mw.rules.version_age import VersionAge

HOUR = 3600


def published(**seconds: float | None) -> Any:
    """A package whose versions a, b, ... are 1.0.0, 1.0.1, ..., published that many seconds ago."""
    times = [ago(seconds=age) if age is not None else None for age in seconds.values()]
    return packument(versions={f"1.0.{place}": {"time": time} for place, time in enumerate(times)})


@pytest.mark.parametrize(
    ("document", "hours", "unknown", "expected"),
    [
        pytest.param(published(a=48 * HOUR, b=48 * HOUR - 0.001), 48, "allow", {"1.0.1"}, id="a millisecond too young"),
        pytest.param(published(a=48 * HOUR), 48, "allow", set(), id="exactly that old"),
        pytest.param(published(a=1, b=100), 0, "block", set(), id="0 hours are off"),
        pytest.param(published(a=None), 0, "block", set(), id="0 hours are off, without a time too"),
        pytest.param(published(a=-HOUR), 1, "allow", {"1.0.0"}, id="published in an hour"),
        pytest.param(published(a=None, b=1), 48, "allow", {"1.0.1"}, id="no time: allowed"),
        pytest.param(published(a=None, b=999 * HOUR), 48, "block", {"1.0.0"}, id="no time: blocked"),
        pytest.param(published(), 48, "block", set(), id="no version"),
    ],
)
def test_flags(document: Any, hours: int, unknown: str, expected: set[str]) -> None:
    """Versions younger than the hours, and by ``unknown`` those without a time."""
    assert flagged(VersionAge(), history_of(document), hours=hours, unknown=unknown, fixes=True) == expected
    assert Reference(document, NOW).version_age(hours, unknown).keys() == expected


def test_says() -> None:
    """It says how young is too young, when that ends, and that some times are missing."""
    verdicts, notes = said(VersionAge(), history_of(published(a=1, b=None)), hours=1, unknown="allow", fixes=True)
    assert verdicts["1.0.0"].reason == "it is younger than 1 hour"
    assert verdicts["1.0.0"].until == NOW - timedelta(seconds=1) + timedelta(hours=1)
    assert notes == ["the upstream does not say when some versions were published"]


FIXED = packument(
    versions={
        "1.0.0": {"time": ago(days=90)},
        "1.1.0": {"time": ago(days=60)},
        "1.1.1": {"time": ago(hours=3)},
        "1.2.0-rc.1": {"time": ago(days=10)},
    }
)


def alert(version: str = "1.1.0", **how: Any) -> Alert:
    facts = {"kind": "vulnerability", "id": "GHSA-1", "severity": "high", "fixed": ("1.1.1",)}
    return Alert(version=version, **{**facts, "published": NOW - timedelta(hours=20), **how})


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        pytest.param([alert()], set(), id="the fix of a high one is let through"),
        pytest.param([alert(severity="critical")], set(), id="of a critical one"),
        pytest.param([alert(severity="moderate")], {"1.1.1"}, id="of a moderate one, not"),
        pytest.param([alert(severity=None)], {"1.1.1"}, id="of one without a severity, not"),
        pytest.param([alert("1.0.0")], {"1.1.1"}, id="what users have is not affected"),
        pytest.param([alert("1.2.0-rc.1")], {"1.1.1"}, id="a prerelease is not what users have"),
        pytest.param([alert(fixed=("1.1.2",))], {"1.1.1"}, id="another version is the fix"),
        pytest.param([alert(published=NOW - timedelta(hours=3))], {"1.1.1"}, id="the advisory is not older"),
        pytest.param([alert(published=NOW - timedelta(hours=2))], {"1.1.1"}, id="the advisory is younger"),
        pytest.param(
            [alert(), alert(id="GHSA-2", published=NOW)], set(), id="one of two advisories is older: the first"
        ),
        pytest.param(
            [alert(published=NOW), alert(id="GHSA-2")], set(), id="one of two advisories is older: the second"
        ),
        pytest.param([alert(published=None)], {"1.1.1"}, id="nobody says when the advisory was published"),
        pytest.param([alert(kind="malware")], {"1.1.1"}, id="malware has no fix"),
        pytest.param(
            [alert("1.0.0"), alert(kind="malware", id="MAL-1")], set(), id="users do not get what is known as malware"
        ),
        pytest.param([], {"1.1.1"}, id="nothing is known"),
    ],
)
def test_fixes(alerts: list[Alert], expected: set[str]) -> None:
    """A young version is let through when it fixes, in an advisory's own words, what users have now."""
    assert decide(FIXED, alerts).versions == expected


def test_fixes_can_be_off() -> None:
    """Without ``fixes``, nothing is let through."""
    knowledge = Knowledge(now=NOW, alerts=(alert(),))
    assert flagged(VersionAge(), history_of(FIXED), knowledge, hours=48, unknown="allow", fixes=False) == {"1.1.1"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"scripts": {"postinstall": "node x.js"}}, id="script_added"),
        pytest.param({"dependencies": {"x": "github:a/b"}}, id="exotic_dependency"),
        pytest.param({"_npmUser": {"name": "eve"}}, id="trust_downgrade"),
    ],
)
def test_suspicious_fix_is_held(change: dict[str, Any]) -> None:
    """A fix with new scripts, code from elsewhere or weaker evidence is not let through, even where those only warn."""
    proven = {"dist": {"attestations": {"provenance": {} | {"predicateType": "slsa"}}}}
    old = {version: {**one, **proven} for version, one in FIXED["versions"].items() if version != "1.1.1"}
    versions = {**old, "1.1.1": {**FIXED["versions"]["1.1.1"], **proven, **change}}
    if "_npmUser" in change:
        versions["1.1.1"]["dist"] = {}
    document = {**FIXED, "versions": versions}
    assert decide(document, [alert()]).versions == {"1.1.1"}


def test_rest_is_rechecked() -> None:
    """When a fix that was let through is old enough, it is what users have: the decision ends then."""
    words = list(
        VersionAge().check(
            history_of(FIXED),
            {"hours": 48, "unknown": "allow", "fixes": True},
            Knowledge(now=NOW, alerts=(alert(),)),
        )
    )
    assert words == [Recheck(NOW + timedelta(hours=45))]


def test_vulnerable_package_stays_installable() -> None:
    """With the defaults, an urgent fix is what remains when its vulnerable predecessors are blocked."""
    settings = {
        "vulnerability": {"mode": "block", "severity": "high", "unknown": "block"},
        "version_age": {"mode": "block", "hours": 48, "unknown": "allow", "fixes": True},
    }
    alerts = (alert("1.0.0"), alert("1.1.0"), alert("1.2.0-rc.1"))
    decision: Decision = judge(history_of(FIXED), rules_of(settings), Knowledge(now=NOW, alerts=alerts))
    assert decision.allowed == ("1.1.1",)


def decide(document: Any, alerts: list[Alert]) -> Any:
    settings = {
        "version_age": {"mode": "block", "hours": 48, "unknown": "allow", "fixes": True},
        "malware": {"mode": "block"},
        "script_added": {"mode": "off"},
        "exotic_dependency": {"mode": "warn"},
        "trust_downgrade": {"mode": "warn", "ignoreAfterDays": 365},
    }
    rules = [one for one in rules_of(settings) if one.mode != "off" or one.rule.id == "script_added"]
    return outcomes(history_of(document), rules, Knowledge(now=NOW, alerts=tuple(alerts)))["version_age"]
