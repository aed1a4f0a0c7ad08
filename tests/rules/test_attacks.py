"""What the rules, at their defaults, say of eleven real attacks half an hour after each was published."""

from __future__ import annotations

import pytest
from support.attacks import ATTACKS, SEVEN, Attack
from support.histories import NOW, history_of

from nproxy_mw.intelligence.score import score
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import judge
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.shipped import SHIPPED


def decide(attack: Attack) -> Decision:
    history = history_of(attack.document)
    knowledge = Knowledge(now=NOW, score=score(history, NOW), mismatches=attack.mismatches)
    return judge(history, SHIPPED.configured(SHIPPED.defaults()), knowledge)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_flags(attack: Attack) -> None:
    """Exactly the rules that see it flag the bad version."""
    decision = decide(attack)
    findings = decision.blocked.get(attack.version, ()) + decision.warned.get(attack.version, ())
    found = {finding.rule for finding in findings}
    assert (found & SEVEN, found - SEVEN) == (attack.seven, attack.beyond)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_nobody_gets_it(attack: Attack) -> None:
    """The bad version is not served, and users get the version before it, if there was an older one."""
    decision = decide(attack)
    older = [release.version for release in history_of(attack.document).by_publication[:-1]]
    assert attack.version not in decision.allowed
    if attack.document["name"] == "plain-crypto":
        assert decision.blocks_everything
    else:
        assert decision.tags["latest"] in older
        assert decision.available_from(attack.version) is None or decision.valid_until is not None


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_versions_before_are_left_alone(attack: Attack) -> None:
    """No older version is held, so that the package stays installable."""
    held = decide(attack).blocked.keys() - {attack.version}
    assert held == ({"4.2.0"} if attack.document["name"] == "plain-crypto" else set())


def test_the_seven_alone_block_one() -> None:
    """Of the eleven, the first seven rules block one: a name that is new."""
    blocked = {
        name
        for name, attack in ATTACKS.items()
        if SEVEN & {finding.rule for finding in decide(attack).blocked.get(attack.version, ())}
    }
    assert blocked == {"plain crypto, March 2026"}
