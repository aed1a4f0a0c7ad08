"""malware, vulnerability, score, removed_upstream and manifest_mismatch: rules that only pass on what is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.histories import NOW, ago, flagged, history_of, packument, releases, said

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.facts import History
from nproxy_mw.rules.low_score import LowScore
from nproxy_mw.rules.malware import Malware
from nproxy_mw.rules.manifest_mismatch import ManifestMismatch
from nproxy_mw.rules.port import Knowledge, Recheck
from nproxy_mw.rules.removed_upstream import RemovedUpstream
from nproxy_mw.rules.vulnerability import Vulnerability

HISTORY = History(name="left-pad", releases=releases(["1.0.0", "1.0.1"]))


def knowing(*alerts: Alert, **how: Any) -> Knowledge:
    return Knowledge(now=NOW, alerts=alerts, **how)


def alert(version: str = "1.0.1", **how: Any) -> Alert:
    return Alert(version=version, **{"kind": "vulnerability", "id": "GHSA-1", **how})


@pytest.mark.parametrize("kind", ["malware", "typosquatting", "protestware", "troll"])
def test_malware(kind: str) -> None:
    """Alerts of every kind of malware flag their version, and say who says so."""
    verdicts, _ = said(Malware(), HISTORY, knowing(alert(kind=kind, id="MAL-1", summary="Steals tokens")))
    assert {version: verdict.reason for version, verdict in verdicts.items()} == {
        "1.0.1": f"MAL-1 reports this version as {kind}: Steals tokens"
    }


def test_malware_of_the_whole_package() -> None:
    """A record that condemns all versions keeps its word."""
    found = alert(kind="malware", id="MAL-1", every_version=True)
    verdicts, _ = said(Malware(), HISTORY, knowing(found))
    assert verdicts["1.0.1"].reason == "MAL-1 reports all versions of this package as malware"


def test_vulnerabilities_are_not_malware() -> None:
    """The two rules divide the alerts between them."""
    both = knowing(alert(severity="critical"), alert("1.0.0", kind="malware"))
    assert flagged(Malware(), HISTORY, both) == {"1.0.0"}
    assert flagged(Vulnerability(), HISTORY, both, severity="low", unknown="block") == {"1.0.1"}


LEVELS = ["info", "low", "moderate", "high", "critical"]


@pytest.mark.parametrize("floor", LEVELS[1:])
@pytest.mark.parametrize("level", LEVELS)
def test_severity(floor: str, level: str) -> None:
    """An advisory counts from the floor upward."""
    found = flagged(Vulnerability(), HISTORY, knowing(alert(severity=level)), severity=floor, unknown="block")
    assert found == ({"1.0.1"} if LEVELS.index(level) >= LEVELS.index(floor) else set())


@pytest.mark.parametrize(("unknown", "expected"), [("block", {"1.0.1"}), ("allow", set())])
def test_unknown_severity(unknown: str, expected: set[str]) -> None:
    """``unknown`` decides about an advisory whose severity nobody gave."""
    assert flagged(Vulnerability(), HISTORY, knowing(alert()), severity="high", unknown=unknown) == expected


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        pytest.param(("1.0.2",), " (fixed in 1.0.2)", id="one"),
        pytest.param(("2.0.10", "2.0.9", "1.0.0"), " (fixed in 2.0.9)", id="the lowest above the version"),
        pytest.param(("1.0.0",), "", id="none above the version"),
        pytest.param((), "", id="none"),
    ],
)
def test_vulnerability_names_the_fix(fixed: tuple[str, ...], words: str) -> None:
    """The version to take is the next one that the advisory names as fixed."""
    known = knowing(alert(severity="high", summary="Prototype pollution", fixed=fixed))
    verdicts, _ = said(Vulnerability(), HISTORY, known, severity="high", unknown="block")
    assert verdicts["1.0.1"].reason == f"GHSA-1 of high severity affects it: Prototype pollution{words}"


def test_versions_of_one_advisory_have_the_fix_above_each() -> None:
    """Also where a host's own source gives the fixes as a list, and the same advisory comes in several parts."""
    history = History(name="left-pad", releases=releases(["1.0.0", "2.0.0", "3.0.0"]))
    parts = [alert(version, severity="high", fixed=["2.0.1", "1.0.1"]) for version in ("1.0.0", "2.0.0", "3.0.0")]
    verdicts, _ = said(Vulnerability(), history, knowing(*parts), severity="high", unknown="block")
    assert {version: verdict.reason.partition("affects it")[2] for version, verdict in verdicts.items()} == {
        "1.0.0": " (fixed in 1.0.1)",
        "2.0.0": " (fixed in 2.0.1)",
        "3.0.0": "",
    }


@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        pytest.param(Malware(), {}, id="malware"),
        pytest.param(Vulnerability(), {"severity": "high", "unknown": "block"}, id="vulnerability"),
    ],
)
def test_intelligence_that_cannot_be_asked(rule: Any, parameters: dict[str, Any]) -> None:
    """Without an answer the rule flags nothing and says so; with a part of one, it flags that part and says so."""
    verdicts, notes = said(rule, HISTORY, Knowledge(now=NOW, alerts=None), **parameters)
    assert (verdicts, len(notes)) == ({}, 1)
    some = knowing(alert(kind="malware"), alert(severity="high"), incomplete=True)
    verdicts, notes = said(rule, HISTORY, some, **parameters)
    assert (set(verdicts), len(notes)) == ({"1.0.1"}, 1)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.39, {"1.0.0", "1.0.1"}), (0.4, set()), (1.0, set()), (0.0, {"1.0.0", "1.0.1"}), (None, set())],
)
def test_score(score: float | None, expected: set[str]) -> None:
    """A score below the threshold flags every version; one that is equal to it none."""
    verdicts, notes = said(LowScore(), HISTORY, knowing(score=score), threshold=0.4)
    assert verdicts.keys() == expected
    assert notes == (["the package has no score"] if score is None else [])
    assert {verdict.reason for verdict in verdicts.values()} <= {f"the package scores {score or 0:.2f}, below 0.4"}


def test_score_is_rechecked() -> None:
    """The score of a young package changes with time: it is looked at again then."""
    history = History(name="left-pad", releases=releases(["1.0.0"]), created=NOW - timedelta(days=20))
    words = list(LowScore().check(history, {"threshold": 0.4}, knowing(score=0.9)))
    assert words == [Recheck(NOW + timedelta(days=10))]


def test_package_without_versions() -> None:
    """There is nothing to score, and nothing to say."""
    assert said(LowScore(), History(name="left-pad"), knowing(), threshold=0.4) == ({}, [])


@pytest.mark.parametrize(
    ("times", "withdrawn", "expected"),
    [
        pytest.param({}, (), set(), id="nothing is missing"),
        pytest.param({"1.0.2": ago(days=1)}, (), {"1.0.2"}, id="in time and not in versions"),
        pytest.param(
            {"created": ago(days=9), "modified": ago(days=1)}, (), set(), id="created and modified are no versions"
        ),
        pytest.param({"unpublished": {"name": "ann"}}, (), set(), id="unpublished is no version"),
        pytest.param({}, ("1.0.3",), {"1.0.3"}, id="taken away after we held it"),
        pytest.param({}, ("1.0.0",), {"1.0.0"}, id="taken away, and still in a stale packument"),
    ],
)
def test_removed_upstream(times: dict[str, Any], withdrawn: tuple[str, ...], expected: set[str]) -> None:
    """Versions that the upstream took away, whichever way that is known."""
    document = packument(versions={"1.0.0": {"time": ago(days=9)}}, time=times)
    knowledge = Knowledge(now=NOW, withdrawn=frozenset(withdrawn))
    assert flagged(RemovedUpstream(), history_of(document), knowledge) == expected


def test_manifest_mismatch() -> None:
    """What a tarball says otherwise is passed on."""
    knowledge = Knowledge(now=NOW, mismatches={"1.0.1": "its tarball has other scripts than the packument"})
    verdicts, _ = said(ManifestMismatch(), HISTORY, knowledge)
    assert {version: verdict.reason for version, verdict in verdicts.items()} == dict(knowledge.mismatches)
