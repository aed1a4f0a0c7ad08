"""What reaches the rules beyond the packument: from intelligence, whole or in part, and from this registry itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.client import Client
from support.histories import NOW, history_of, packument

from nproxy_mw.audit.trail import Trail
from nproxy_mw.firewall.events import RuleEvents
from nproxy_mw.firewall.gateway import open_gateway
from nproxy_mw.intelligence.combined import Combined
from nproxy_mw.intelligence.popular import POPULAR
from nproxy_mw.intelligence.port import Alert, IntelligenceUnavailable
from nproxy_mw.npm.facts import Release
from nproxy_mw.orgs.organization import Organization
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.upstream.observations import Observation
from nproxy_mw.upstream.policy import Policy
from nproxy_mw.upstream.transport import Urllib3Transport


class Source:
    """Knows that version 1.1.0 is malware, while it can be asked."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.is_away = is_away

    @property
    def revision(self) -> str:
        return str(self.is_away)

    def alerts(self, name: str, releases: Sequence[Release]) -> tuple[Alert, ...]:
        if self.is_away:
            raise IntelligenceUnavailable("It is away.")
        return tuple(Alert(version=one.version, kind="malware", id="X") for one in releases if one.version == "1.1.0")


HISTORY = history_of(packument(versions={"1.0.0": {}, "1.1.0": {}}))
ALERT = Alert(version="1.1.0", kind="malware", id="X")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(None, ((), False), id="no source"),
        pytest.param(Source(), ((ALERT,), False), id="one"),
        pytest.param(Source(is_away=True), (None, True), id="one that is away"),
        pytest.param(Combined([Source(is_away=True), Source()]), ((ALERT,), True), id="one of two is away"),
    ],
)
def test_alerts_of_those_that_can_be_asked(source: Any, expected: tuple[Any, bool]) -> None:
    """What the others know counts, and the rules learn that it is not all."""
    knowledge = Policy([], "1", intelligence=source).knowledge(HISTORY, NOW)
    assert (knowledge.alerts, knowledge.incomplete) == expected


def test_observation_reaches_the_rules() -> None:
    """What was taken away, and tarballs that contradict their manifests."""
    seen = Observation(withdrawn=frozenset({"0.9.0"}), mismatches={"1.0.0": "it lies"})
    knowledge = Policy([], "1").knowledge(HISTORY, NOW, seen)
    assert (knowledge.withdrawn, knowledge.mismatches) == ({"0.9.0"}, {"1.0.0": "it lies"})


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [(None, ()), ("https://npm.example/acme/", ("https://npm.example/acme/-/git/",))],
)
def test_own_git_is_below_the_public_url(
    upstream: RecordingUpstream, organization: Organization, public_url: str | None, expected: tuple[str, ...]
) -> None:
    """A dependency from this registry's own git addresses is not exotic; and the score knows popular names."""
    gateway = open_gateway(Urllib3Transport(upstream.url))
    policy = gateway.firewall(organization, public_url).policies()
    assert policy.knowledge(HISTORY, NOW).own_git == expected
    assert policy.popular == POPULAR


def undecided(organization: Organization) -> list[tuple[str, int]]:
    """The rule of each event about what could not be decided, and how many packages it names."""
    return [(e["rule"], e["count"]) for e in organization.trail.chain() if e["event"] == "rule.undecided"]


def test_outage_is_one_event_per_rule(
    upstream: RecordingUpstream, process: Callable[..., Client], organization: Organization
) -> None:
    """The rules fail open, and the trail says so once for all packages that are looked at meanwhile."""
    upstream.publish("right-pad", "1.0.0")
    client = process(intelligence=Combined([Source(is_away=True), Source()]))
    for path in ("/left-pad", "/right-pad", "/left-pad", "/left-pad/-/left-pad-1.0.0.tgz"):
        assert client.get(path).status == 200
    assert list(client.get("/left-pad").json["versions"]) == ["1.0.0"]
    client.app.firewall.log.flush()
    found = [pair for pair in undecided(organization) if pair[0] in ("malware", "vulnerability")]
    assert sorted(found) == [("malware", 2), ("vulnerability", 2)]


def test_flush_looks_even_when_nothing_was_decided(organization: Organization) -> None:
    """So that a swap of the database is told although no rule flags anything."""
    looks: list[int] = []
    events = RuleEvents(Trail(organization.storage, org="default"), look=lambda: looks.append(1), interval=None)
    events.flush()
    assert looks == [1]
