"""The catalog of rules."""

from datetime import UTC, datetime

import pytest
from support.rules import FlagsNothing

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.catalog import Catalog, Parameter, RuleDefinition
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.rules.values import FLAG, Problems, number


class NoPrereleases:
    """A host's own rule."""

    id = "no_prereleases"

    def check(self, history, parameters, knowledge):
        for release in history.releases:
            if parameters["strict"] or not release.is_stable:
                yield Verdict(release.version, "prereleases are not used here")


OWN = RuleDefinition(NoPrereleases(), "warn", "Flags prereleases.", {"strict": Parameter(False, FLAG, "Really.")})
CATALOG = SHIPPED.with_rules(OWN)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def merged(change, current=None, catalog=CATALOG):
    problems = Problems()
    rules = catalog.merge(current or catalog.defaults(), change, "rules", problems)
    return rules, problems.fields


def test_shipped_rules_have_their_defaults():
    """The sixteen rules with their modes and parameters, as they are documented."""
    assert SHIPPED.defaults() == {
        "blocklist": {"mode": "on", "entries": []},
        "malware": {"mode": "block"},
        "vulnerability": {"mode": "block", "severity": "high", "unknown": "block"},
        "first_seen": {"mode": "block", "days": 7, "unknown": "allow"},
        "unexpected_deps": {"mode": "warn"},
        "publisher_change": {"mode": "warn"},
        "install_scripts": {"mode": "warn"},
        "score": {"mode": "warn", "threshold": 0.4},
        "version_age": {"mode": "block", "hours": 48, "fixes": True, "unknown": "allow"},
        "script_added": {"mode": "warn"},
        "exotic_dependency": {"mode": "block"},
        "trust_downgrade": {"mode": "warn", "ignoreAfterDays": 365},
        "patch_new_dependency": {"mode": "warn"},
        "removed_upstream": {"mode": "block"},
        "held_dependency": {"mode": "on"},
        "manifest_mismatch": {"mode": "block"},
    }


@pytest.mark.parametrize("rule", list(SHIPPED), ids=SHIPPED.ids)
def test_rule_runs_with_its_defaults(rule):
    """Each rule finds the parameters that its row in the catalog has."""
    history = History(name="left-pad", releases=(Release(version="1.0.0"), Release(version="1.0.1")))
    configured = Catalog([rule]).configured({rule.id: rule.defaults})
    assert [one for one in judge(history, configured, Knowledge(now=NOW)).notes if one.kind == "failed"] == []


@pytest.mark.parametrize("rule", list(SHIPPED), ids=SHIPPED.ids)
def test_rule_is_a_sentence(rule):
    """Each rule and each parameter says to people what it does."""
    sentences = [rule.sentence, *(parameter.sentence for parameter in rule.parameters.values())]
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


def test_only_named_rules_and_parameters_change():
    """A parameter changes alone, and null takes a rule back to its defaults."""
    rules, _ = merged({"first_seen": {"days": 14}})
    rules, problems = merged({"malware": {"mode": "warn"}, "no_prereleases": {"strict": True}}, rules)
    assert problems == {}
    assert rules["first_seen"] == {"mode": "block", "days": 14, "unknown": "allow"}
    assert rules["malware"] == {"mode": "warn"}
    assert rules["no_prereleases"] == {"mode": "warn", "strict": True}
    rules, _ = merged({"first_seen": None}, rules)
    assert rules["first_seen"]["days"] == 7


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param([], "rules", id="list"),
        pytest.param({"malwear": {"mode": "off"}}, "rules.malwear", id="unknown rule"),
        pytest.param({"malware": "off"}, "rules.malware", id="mode for a rule"),
        pytest.param({"malware": {"mode": "on"}}, "rules.malware.mode", id="mode of another rule"),
        pytest.param({"held_dependency": {"mode": "block"}}, "rules.held_dependency.mode", id="mode it does not have"),
        pytest.param({"malware": {"days": 1}}, "rules.malware.days", id="parameter of another rule"),
        pytest.param({"no_prereleases": {"strict": 1}}, "rules.no_prereleases.strict", id="parameter of a host's rule"),
        pytest.param({"vulnerability": {"unknown": "warn"}}, "rules.vulnerability.unknown", id="unknown"),
        pytest.param({"version_age": {"fixes": None}}, "rules.version_age.fixes", id="null for a flag"),
        pytest.param({"first_seen": {"days": 3651}}, "rules.first_seen.days", id="over the bound"),
    ],
)
def test_invalid_rule_is_refused_at_its_path(change, path):
    """What a rule does not have, or cannot be, is refused with a sentence."""
    _, problems = merged(change)
    assert list(problems) == [path]
    assert problems[path].endswith(".")


def test_rule_at_its_defaults_is_not_stored():
    """So that better defaults of a later version reach whoever has not decided otherwise."""
    rules, _ = merged({"score": {"threshold": 0.5}, "malware": {"mode": "block"}})
    assert CATALOG.dump(rules, {}) == {"score": {"mode": "warn", "threshold": 0.5}}


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"newer": {"mode": "block"}}, id="rule"),
        pytest.param({"malware": {"newer": 1}}, id="parameter"),
        pytest.param({"malware": {"mode": "warn", "newer": 1}, "newer": {"mode": "block"}}, id="both"),
    ],
)
def test_what_a_newer_version_stored_is_kept(before):
    """Rules and parameters that this version does not know survive its reads and writes, also a reset of their rule."""
    rules = CATALOG.load(before)
    assert set(rules) == set(CATALOG.ids)
    assert CATALOG.dump(rules, before) == before
    reset, _ = merged({"malware": None}, rules)
    kept = CATALOG.dump(reset, before)
    assert kept.get("newer") == before.get("newer")
    assert kept.get("malware", {}) == ({"newer": 1} if "malware" in before else {})


def test_stored_rule_gets_the_defaults_of_new_parameters():
    """A rule that an older version stored with fewer parameters."""
    stored = {"version_age": {"mode": "warn", "hours": 72, "unknown": "allow"}}
    assert SHIPPED.load(stored)["version_age"] == {"mode": "warn", "hours": 72, "fixes": True, "unknown": "allow"}


@pytest.mark.parametrize("stored", [{"malware": {"mode": "x"}}, {"score": {"threshold": 9}}])
def test_damaged_rules_are_not_loaded(stored):
    """An invalid stored value is an error, never a default."""
    with pytest.raises(ValueError, match="invalid"):
        SHIPPED.load(stored)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        pytest.param((FlagsNothing("No-Prereleases"), "warn", "."), "lower-case", id="id"),
        pytest.param((FlagsNothing("own"), "loud", "."), "default", id="mode"),
        pytest.param(
            (FlagsNothing("own"), "warn", ".", {"days": Parameter(11, number(0, 9, whole=True), ".")}), "default"
        ),
    ],
)
def test_definition_is_checked_when_it_is_made(arguments, match):
    """A host's mistake is found at once."""
    with pytest.raises(ValueError, match=match):
        RuleDefinition(*arguments)


def test_rule_of_a_host_joins_the_catalog():
    """Its rules are listed after the shipped ones, which stay as they are; ids are unique."""
    assert CATALOG.ids == (*SHIPPED.ids, "no_prereleases")
    assert CATALOG["no_prereleases"] is OWN
    assert "no_prereleases" not in SHIPPED
    assert [rule.id for rule in Catalog([OWN])] == ["no_prereleases"]
    with pytest.raises(ValueError, match="no_prereleases"):
        CATALOG.with_rules(OWN)


def test_engine_runs_what_is_set():
    """Every rule with its mode and parameters, the host's too; a rule that is on blocks."""
    rules, _ = merged({"no_prereleases": {"mode": "block", "strict": True}, "malware": {"mode": "off"}})
    configured = {one.rule.id: one for one in CATALOG.configured(rules)}
    assert tuple(configured) == CATALOG.ids
    assert configured["held_dependency"].mode == "block"
    assert configured["malware"].mode == "off"
    assert configured["version_age"].parameters == {"hours": 48, "fixes": True, "unknown": "allow"}
    history = History(name="left-pad", releases=(Release(version="1.0.0"),))
    decision = judge(history, [configured["no_prereleases"]], Knowledge(now=NOW))
    assert decision.blocked["1.0.0"][0].rule == "no_prereleases"


def test_schema_describes_every_rule():
    """Each member with its sentence and default; null is a rule's defaults."""
    rule, null = CATALOG.schema()["properties"]["no_prereleases"]["anyOf"]
    assert null == {"type": "null"}
    assert rule["description"] == "Flags prereleases."
    assert rule["properties"]["strict"] == {"type": "boolean", "description": "Really.", "default": False}
    assert rule["properties"]["mode"]["enum"] == ["block", "warn", "off"]
