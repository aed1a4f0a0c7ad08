"""Audits know what is held here, whoever decided it and when, and ask the upstream about its own advisories alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.client import Client, validated
from support.osv import malware
from support.registry import ACTOR

from nproxy_mw.firewall.advisories import PATIENCE, advised
from nproxy_mw.firewall.gateway import open_gateway
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import parse_record
from nproxy_mw.intelligence.port import Alert
from nproxy_mw.npm.audits import OwnAdvisory
from nproxy_mw.orgs.organization import Organization, open_organization
from nproxy_mw.stack import front_page, layers
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.upstream import RecordingUpstream
from nproxy_mw.upstream.transport import Urllib3Transport

BULK = "/-/npm/v1/security/advisories/bulk"
QUICK = "/-/npm/v1/security/audits/quick"
TREE = {
    "name": "x",
    "version": "1.0.0",
    "dependencies": {"left-pad": {"version": "1.1.0"}, "evil": {"version": "1.0.0"}},
}


@pytest.fixture
def database(tmp_path: Path) -> OsvDatabase:
    """It knows that "evil" is malware."""
    record = parse_record(json.dumps(malware("MAL-1", "evil")).encode())
    build(tmp_path / "osv.db", [record], built="2026-11-26T00:00:00.000Z", source="test")
    return OsvDatabase(tmp_path / "osv.db")


def titles(client: Client) -> dict[str, list[str]]:
    """What a bulk audit of both packages says."""
    found = client.post(BULK, {"left-pad": ["1.1.0"], "evil": ["1.0.0"]}).json
    return {name: [one["title"] for one in advisories] for name, advisories in found.items()}


@pytest.mark.parametrize("is_poor", [False, True], ids=["audits upstream", "no audits upstream"])
def test_held_by_what_is_kept(
    upstream: RecordingUpstream, process: Callable[..., Client], set_rules: Callable[..., None], is_poor: bool
) -> None:
    """A new process, and rules that changed since: the packument that is kept decides, and nobody is asked for it."""
    process().get("/left-pad")
    set_rules(first_seen={"mode": "block", "days": 3650})
    upstream.state.is_poor = is_poor
    upstream.requests.clear()
    client = process()
    (title,) = titles(client)["left-pad"]
    assert "Held by this registry's security rules" in title
    assert "first_seen" in title
    quick = client.post(QUICK, TREE).json
    assert [one["module_name"] for one in quick["advisories"].values()] == ["left-pad"]
    assert not upstream.asked("GET")
    assert {request.method for request in upstream.requests} == {"POST"}


def test_held_by_a_decision_of_another_process(
    upstream: RecordingUpstream, process: Callable[..., Client], set_rules: Callable[..., None]
) -> None:
    """The stored decision counts without the packument, too."""
    set_rules(first_seen={"mode": "block", "days": 3650})
    assert process().get("/left-pad").status == 403
    assert "first_seen" in titles(process())["left-pad"][0]


def test_malware_needs_no_packument(process: Callable[..., Client], database: OsvDatabase) -> None:
    """What intelligence knows is told of packages that nobody fetched; of left-pad, nothing is known or kept."""
    assert titles(process(intelligence=database)) == {"evil": ["Malicious code in evil (npm) (malware)"]}


def test_without_an_upstream_what_is_known_here(database: OsvDatabase) -> None:
    """The advisories of this registry alone, and a notice that says so; internal names are not looked up."""
    organization = open_organization(open_storage(f"memory://{uuid.uuid4().hex}"), ThreadLocks())
    organization.settings.change({"internalScopes": ["@acme"]}, actor=ACTOR)
    client = Client(validated(layers(organization, None, intelligence=database), on=front_page))
    answer = client.post(BULK, {"evil": ["1.0.0"], "@acme/x": ["1.0.0"]})
    assert [one["severity"] for one in answer.json["evil"]] == ["critical"]
    assert "has no upstream: only its own advisories" in answer.headers["npm-notice"]
    quick = client.post(QUICK, TREE).json
    assert quick["metadata"]["vulnerabilities"]["critical"] == 1


def test_rules_without_intelligence_know_no_advisories(
    upstream: RecordingUpstream, process: Callable[..., Client], organization: Organization
) -> None:
    """What they hold is told, and an upstream without audits is one all the same."""
    upstream.state.is_poor = True
    answer = process().post(BULK, {"left-pad": ["1.1.0"]})
    assert (answer.status, answer.json) == (200, {})
    assert "nothing was checked" in answer.headers["npm-notice"]
    organization.settings.change({"auditWithoutAdvisories": "not-found"}, actor=ACTOR)
    assert process().post(BULK, {"left-pad": ["1.1.0"]}).code == "no-audit"


class Elsewhere:
    """Intelligence on the network that knows nothing, and remembers who wanted to know."""

    revision = ""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    @property
    def kept(self) -> Elsewhere:
        return self

    def alerts(self, name: str, releases: Any) -> tuple[Alert, ...]:
        return ()

    def learn(self, names: Any, *, of_stranger: bool) -> None:
        self.asked.append(of_stranger)


@pytest.mark.parametrize("has_upstream", [False, True], ids=["alone", "with an upstream"])
def test_audits_of_strangers_are_told_from_those_of_members(
    upstream: RecordingUpstream, organization: Organization, has_upstream: bool
) -> None:
    """Whoever keeps the answers asks less for somebody who is nobody: anyone could use up what it may ask."""
    elsewhere = Elsewhere()
    gateway = open_gateway(Urllib3Transport(upstream.url), intelligence=elsewhere) if has_upstream else None
    secret, _ = organization.tokens.create("ann", ["proxy"], actor=ACTOR)
    app = validated(layers(organization, gateway, intelligence=elsewhere), on=front_page)
    for client in (Client(app), Client(app, secret)):
        assert client.post(BULK, {"left-pad": ["1.1.0"]}).status == 200
        assert client.post(QUICK, TREE).status == 200
    assert elsewhere.asked == [True, True, False, False]


def test_audit_does_not_wait_for_ever() -> None:
    """Somebody waits for an install: what is known within the time is told."""
    seconds = count()

    def advise(name: str, versions: Any) -> list[OwnAdvisory]:
        return [OwnAdvisory(frozenset(), versions, {"title": name})]

    asked = {f"p{one}": ["1.0.0"] for one in range(50)}
    found = advised(asked, advise, monotonic=lambda: float(next(seconds)))
    assert list(found) == [f"p{one}" for one in range(int(PATIENCE))]
