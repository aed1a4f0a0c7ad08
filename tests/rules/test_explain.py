"""Why a version is allowed or held, and what other rules would change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.histories import NOW, ago, history_of, packument, rules_of

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.rules.decisions import Decision, Finding
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.explain import explain_package, explain_version
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.replay import Change, changes, history_at, knowledge_at

SETTINGS: dict[str, dict[str, Any]] = {
    "malware": {"mode": "block"},
    "removed_upstream": {"mode": "block"},
    "version_age": {"mode": "block", "hours": 48, "unknown": "allow", "fixes": True},
    "install_scripts": {"mode": "warn"},
    "script_added": {"mode": "off"},
}
RULES = [one for one in rules_of(SETTINGS) if one.rule.id in SETTINGS]
HISTORY = history_of(
    packument(
        versions={
            "1.0.0": {"time": ago(days=90), "dependencies": {"a": "*"}},
            "1.0.1": {"time": ago(days=60), "scripts": {"postinstall": "x"}},
            "1.0.2": {"time": ago(hours=8), "dependencies": {"a": "*", "b": "*"}, "_npmUser": {"name": "ann"}},
        },
        time={"0.9.0": ago(days=99)},
        tags={"latest": "1.0.2"},
    )
)
KNOWLEDGE = Knowledge(now=NOW, alerts=(Alert(version="1.0.0", kind="malware", id="MAL-1"),))


def covers(version: str, rule: str) -> datetime | None:
    return NOW + timedelta(days=3) if (version, rule) == ("1.0.0", "malware") else None


def explained(version: str) -> dict[str, Any]:
    return explain_version(HISTORY, RULES, KNOWLEDGE, covers, version)


def test_held_version() -> None:
    """A held version: until when, what instead, what was looked at, and every rule's word."""
    found = explained("1.0.2")
    assert (found["verdict"], found["availableFrom"], found["instead"]) == ("held", "2026-11-28T04:00:00.000Z", "1.0.1")
    assert found["published"] == "2026-11-26T04:00:00.000Z"
    assert found["facts"] == {
        "publisher": "ann",
        "evidence": 0,
        "scripts": {},
        "installScripts": {},
        "stableBefore": "1.0.1",
        "newDependencies": ["a", "b"],
    }
    by_rule = {word["rule"]: word for word in found["rules"]}
    assert by_rule.keys() == SETTINGS.keys()
    assert by_rule["version_age"] == {
        "rule": "version_age",
        "mode": "block",
        "parameters": {"hours": 48, "unknown": "allow", "fixes": True},
        "flags": True,
        "reasons": ["it is younger than 48 hours"],
        "cannotTell": [],
        "until": "2026-11-28T04:00:00.000Z",
        "exceptionUntil": None,
    }
    assert by_rule["script_added"]["mode"] == "off"


@pytest.mark.parametrize(
    ("knowledge", "expected"),
    [
        pytest.param({}, {"alerts": "all", "score": None, "takenAway": False, "tarball": None}, id="nothing"),
        pytest.param(
            {"score": 0.85, "withdrawn": frozenset({"1.0.1"}), "mismatches": {"1.0.1": "it lies"}},
            {"alerts": "all", "score": 0.85, "takenAway": True, "tarball": "it lies"},
            id="of this version",
        ),
        pytest.param(
            {"withdrawn": frozenset({"1.0.0"}), "mismatches": {"1.0.0": "it lies"}},
            {"alerts": "all", "score": None, "takenAway": False, "tarball": None},
            id="of another version",
        ),
        pytest.param(
            {"alerts": (Alert(version="1.0.0", kind="malware", id="X"),), "incomplete": True},
            {"alerts": "some", "score": None, "takenAway": False, "tarball": None},
            id="a source is away",
        ),
        pytest.param(
            {"alerts": None, "incomplete": True},
            {"alerts": "none", "score": None, "takenAway": False, "tarball": None},
            id="all are away",
        ),
    ],
)
def test_what_was_known(knowledge: dict[str, Any], expected: dict[str, Any]) -> None:
    """What the rules knew beyond the packument."""
    found = explain_version(HISTORY, RULES, Knowledge(now=NOW, **knowledge), covers, "1.0.1")
    assert found["known"] == expected


def test_other_verdicts() -> None:
    """Warned, excepted, removed, absent: each is said in a word."""
    assert [explained(version)["verdict"] for version in ("1.0.1", "1.0.0", "0.9.0", "7.7.7")] == [
        "warned",
        "excepted",
        "held",
        "absent",
    ]
    malware = next(word for word in explained("1.0.0")["rules"] if word["rule"] == "malware")
    assert (malware["flags"], malware["exceptionUntil"]) == (True, "2026-11-29T12:00:00.000Z")
    assert explained("7.7.7")["facts"] is None


def test_package() -> None:
    """A package: its tags, and its versions, the newest first."""
    found = explain_package(judge(HISTORY, RULES, KNOWLEDGE, covers), HISTORY)
    assert (found["tags"], found["movedTags"]) == ({"latest": "1.0.1"}, {"latest": "1.0.2"})
    assert [(one["version"], one["verdict"], one["rules"]) for one in found["versions"]] == [
        ("1.0.2", "held", ["version_age"]),
        ("1.0.1", "warned", ["install_scripts"]),
        ("1.0.0", "excepted", []),
    ]
    assert (found["validUntil"], found["orderedBy"]) == ("2026-11-28T04:00:00.000Z", "time")


def test_decision_can_be_stored() -> None:
    """A decision is a value that keeps its content on the way through msgpack."""
    decision = judge(HISTORY, RULES, KNOWLEDGE, covers)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision) == decision


def test_replay() -> None:
    """Versions whose verdict differs, with the rules of the stricter side; what stays is left out."""
    before = judge(HISTORY, RULES, KNOWLEDGE)
    after = judge(
        HISTORY, rules_of({**SETTINGS, "version_age": {"mode": "off"}, "malware": {"mode": "warn"}}), KNOWLEDGE
    )
    assert list(changes(before, after)) == [
        Change("left-pad", "1.0.0", "held", "warned", {"malware": "MAL-1 reports this version as malware"}),
        Change("left-pad", "1.0.2", "held", "allowed", {"version_age": "it is younger than 48 hours"}),
    ]
    assert [(one.before, one.after) for one in changes(after, before)] == [("warned", "held"), ("allowed", "held")]
    assert list(changes(before, before)) == []


def test_replay_in_order_of_numbers() -> None:
    """Changes come lowest first, 1.9 before 1.10."""
    held = {version: (Finding("x", "of a reason"),) for version in ("1.10.0", "1.9.0")}
    found = changes(Decision(package="a", blocked=held), Decision(package="a"))
    assert [one.version for one in found] == ["1.9.0", "1.10.0"]


def test_history_of_a_moment() -> None:
    """What was published later was not there, but for the version that somebody has fetched."""
    document = packument(
        versions={"1.0.0": {"time": ago(days=9)}, "1.1.0": {"time": ago(days=2)}, "1.2.0": {"time": ago(days=1)}},
        **{"dist-tags": {"latest": "1.2.0", "old": "1.0.0"}},
    )
    then = history_at(history_of(document), NOW - timedelta(days=5), "1.1.0")
    assert [release.version for release in then.releases] == ["1.0.0", "1.1.0"]
    assert then.tags == {"old": "1.0.0"}


def test_knowledge_of_a_moment() -> None:
    """Advisories that were published later were not known; one without a date always was."""
    dates = {"late": NOW, "early": NOW - timedelta(days=9), "undated": None}
    alerts = tuple(Alert(version="1.0.0", kind="malware", id=name, published=date) for name, date in dates.items())
    moment = NOW - timedelta(days=5)
    then = knowledge_at(Knowledge(now=NOW, alerts=alerts), moment)
    assert then.now == moment
    assert [alert.id for alert in then.alerts or ()] == ["early", "undated"]
    assert knowledge_at(Knowledge(now=NOW, alerts=None), moment).alerts is None
