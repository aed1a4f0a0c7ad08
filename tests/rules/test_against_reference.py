"""Every rule against the reference, which reads the packument literally, on packuments by chance."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.histories import NOW, flagged, history_of, rules_of, said
from support.packument_strategies import packuments
from support.rule_reference import Answer, Reference, repaired_tags

from nproxy_mw.intelligence.port import Alert
from nproxy_mw.rules.engine import outcomes
from nproxy_mw.rules.exotic_dependency import ExoticDependency
from nproxy_mw.rules.first_seen import FirstSeen
from nproxy_mw.rules.install_scripts import InstallScripts
from nproxy_mw.rules.patch_new_dependency import PatchNewDependency
from nproxy_mw.rules.port import Knowledge, Rule
from nproxy_mw.rules.publisher_change import PublisherChange
from nproxy_mw.rules.removed_upstream import RemovedUpstream
from nproxy_mw.rules.script_added import ScriptAdded
from nproxy_mw.rules.tags import repaired
from nproxy_mw.rules.trust_downgrade import TrustDowngrade
from nproxy_mw.rules.unexpected_deps import UnexpectedDeps
from nproxy_mw.rules.version_age import VersionAge

UNKNOWN = st.sampled_from(["allow", "block"])


def answer(rule: Rule, document: Any, **parameters: Any) -> Answer:
    """What the rule says, in the reference's form."""
    verdicts, _ = said(rule, history_of(document), **parameters)
    return {version: (verdict.until, verdict.only_warns) for version, verdict in verdicts.items()}


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        pytest.param(UnexpectedDeps(), "unexpected_deps", id="unexpected_deps"),
        pytest.param(InstallScripts(), "install_scripts", id="install_scripts"),
        pytest.param(ScriptAdded(), "script_added", id="script_added"),
        pytest.param(ExoticDependency(), "exotic_dependency", id="exotic_dependency"),
        pytest.param(PatchNewDependency(), "patch_new_dependency", id="patch_new_dependency"),
        pytest.param(PublisherChange(), "publisher_change", id="publisher_change"),
    ],
)
@given(document=packuments())
def test_rule_without_parameters(rule: Rule, name: str, document: Any) -> None:
    """The rule flags the versions that its definition flags, and warns where that says so."""
    assert answer(rule, document) == getattr(Reference(document, NOW), name)()


@given(document=packuments(), days=st.sampled_from([0, 1, 7, 365, 3650]), unknown=UNKNOWN)
def test_first_seen(document: Any, days: int, unknown: str) -> None:
    """All versions or none, by when the name appeared."""
    assert answer(FirstSeen(), document, days=days, unknown=unknown) == Reference(document, NOW).first_seen(
        days, unknown
    )


@given(document=packuments(), days=st.sampled_from([0, 1, 365, 3650]))
def test_trust_downgrade(document: Any, days: int) -> None:
    """Evidence below the best of earlier stable versions of the major."""
    expected = Reference(document, NOW).trust_downgrade(days)
    assert answer(TrustDowngrade(), document, ignoreAfterDays=days) == expected


@given(document=packuments(), hours=st.sampled_from([0, 1, 48, 24 * 365]), unknown=UNKNOWN)
def test_version_age(document: Any, hours: int, unknown: str) -> None:
    """Younger than the hours, without any advisory."""
    expected = Reference(document, NOW).version_age(hours, unknown)
    assert answer(VersionAge(), document, hours=hours, unknown=unknown, fixes=True) == expected


@given(document=packuments(), withdrawn=st.sets(st.sampled_from(["1.0.0", "1.1.1", "2.0.0-rc"])))
def test_removed_upstream(document: Any, withdrawn: set[str]) -> None:
    """In time and not in versions, or taken away, and not there again."""
    knowledge = Knowledge(now=NOW, withdrawn=frozenset(withdrawn))
    expected = Reference(document, NOW).removed_upstream(document["time"], withdrawn)
    assert flagged(RemovedUpstream(), history_of(document), knowledge) == expected.keys()


@st.composite
def advisories(draw: st.DrawFn, versions: list[str]) -> list[dict[str, Any]]:
    """Advisories about some of *versions*, mostly urgent ones."""
    some = st.sets(st.sampled_from(versions), min_size=len(versions) // 2) if versions else st.just(set())
    return [
        {
            "kind": draw(st.sampled_from(["vulnerability", "vulnerability", "vulnerability", "malware"])),
            "severity": draw(st.sampled_from(["high", "critical", "high", "critical", "moderate", None])),
            "affects": draw(some),
            "fixed": draw(some),
            "published": NOW - timedelta(hours=draw(st.sampled_from([0, 30, 100, 10_000]))),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]


@given(document=packuments(), data=st.data(), hours=st.sampled_from([1, 48, 24 * 365]))
def test_version_age_with_fixes(document: Any, data: st.DataObject, hours: int) -> None:
    """A young fix of an older urgent advisory about what users have now is exempt, unless it looks suspicious."""
    known = data.draw(advisories(sorted(document["versions"])))
    alerts = tuple(
        Alert(
            version=version,
            kind=one["kind"],
            id=f"ID-{number}",
            severity=one["severity"],
            fixed=tuple(one["fixed"]),
            published=one["published"],
        )
        for number, one in enumerate(known)
        for version in sorted(one["affects"])
    )
    reference = Reference(document, NOW)
    settings = {
        "version_age": {"mode": "block", "hours": hours, "unknown": "allow", "fixes": True},
        "malware": {"mode": "off"},
        "script_added": {"mode": "off"},
        "exotic_dependency": {"mode": "warn"},
        "trust_downgrade": {"mode": "warn", "ignoreAfterDays": 365},
    }
    rules = [one for one in rules_of(settings) if one.rule.id in settings]
    found = outcomes(history_of(document), rules, Knowledge(now=NOW, alerts=alerts))["version_age"]
    expected = reference.version_age(hours, "allow", reference.urgent_fixes(hours, known))
    assert found.versions == expected.keys()


@given(document=packuments(), data=st.data())
def test_tags(document: Any, data: st.DataObject) -> None:
    """Tags are repaired step by step as the definition has it."""
    history = history_of(document)
    everything = [release.version for release in history.by_number]
    left = [version for version in everything if data.draw(st.booleans())]
    assert repaired(history.tags, left) == repaired_tags(history.tags, left)


@given(document=packuments())
def test_order(document: Any) -> None:
    """Versions are ordered by publication, or by number where the times are a mirror's."""
    history, reference = history_of(document), Reference(document, NOW)
    assert [release.version for release in history.by_publication] == reference.order
    assert history.has_import_times == reference.has_import_times()
