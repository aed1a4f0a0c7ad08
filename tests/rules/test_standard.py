"""The rules of this package as settings configure them."""

from __future__ import annotations

import re

from support.histories import NOW, releases

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.standard import STANDARD, configured


def test_ids() -> None:
    """Fifteen rules, each with an id of its own."""
    ids = [rule.id for rule in STANDARD]
    assert len(ids) == len(set(ids)) == 15
    assert all(re.fullmatch(r"[a-z_]+", rule) for rule in ids)


def test_settings_are_divided() -> None:
    """The mode stands apart from the parameters; the settings stay as they are."""
    settings = {"score": {"mode": "warn", "threshold": 0.4}}
    found = {one.rule.id: one for one in configured(settings)}
    assert (found["score"].mode, found["score"].parameters) == ("warn", {"threshold": 0.4})
    assert found["malware"].mode == "off"
    assert settings == {"score": {"mode": "warn", "threshold": 0.4}}


def test_malware_is_told_first() -> None:
    """Findings come in the order of the rules."""
    assert next(iter(STANDARD)).id == "malware"
    history = History(name="x", releases=releases(["1.0.0"], scripts={"install": "x"}))
    knowledge = Knowledge(now=NOW, mismatches={"1.0.0": "it differs"}, withdrawn=frozenset())
    rules = configured({"install_scripts": {"mode": "block"}, "manifest_mismatch": {"mode": "block"}})
    decision = judge(history, rules, knowledge)
    assert [finding.rule for finding in decision.blocked["1.0.0"]] == ["manifest_mismatch", "install_scripts"]
