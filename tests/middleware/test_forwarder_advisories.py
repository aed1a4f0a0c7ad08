"""Audits with advisories of this registry's own: of its intelligence, and about what its rules hold."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.client import Client
from support.dated import upstream_with_a_young_version
from support.osv import affected, events, malware, record
from support.registry import ACTOR

from nproxy_mw.firewall.gateway import open_gateway
from nproxy_mw.intelligence.osv_build import build
from nproxy_mw.intelligence.osv_database import OsvDatabase
from nproxy_mw.intelligence.osv_records import parse_record
from nproxy_mw.npm.audits import SEVERITIES
from nproxy_mw.orgs.organization import open_organization
from nproxy_mw.stack import front_page, layers, stack
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.upstream import RecordingUpstream, Reply
from nproxy_mw.times import timestamp
from nproxy_mw.upstream.transport import Urllib3Transport

BULK = "/-/npm/v1/security/advisories/bulk"
QUICK = "/-/npm/v1/security/audits/quick"
NOW = datetime.now(UTC)


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """axios, of which 1.1.0 is of this minute."""
    with upstream_with_a_young_version(NOW) as upstream:
        yield upstream


@pytest.fixture
def client(upstream: RecordingUpstream, tmp_path: Path) -> Client:
    """A registry that knows a hole in axios 1.0.0, and that "evil" is malware; @acme is internal."""
    hole = affected(events(("introduced", "0"), ("fixed", "1.0.1")), package="axios")
    records = [
        record("OSV-1", hole, aliases=["GHSA-1"], database_specific={"severity": "LOW"}),
        malware("MAL-1", "evil"),
    ]
    parsed = [parse_record(json.dumps(one).encode()) for one in records]
    build(tmp_path / "osv.db", parsed, built=timestamp(NOW), source="test")
    gateway = open_gateway(Urllib3Transport(upstream.url), intelligence=OsvDatabase(tmp_path / "osv.db"))
    organization = open_organization(open_storage(f"memory://{uuid.uuid4().hex}"), ThreadLocks())
    organization.settings.change({"internalScopes": ["@acme"], "auditWithoutAdvisories": "not-found"}, actor=ACTOR)
    return Client(stack(*layers(organization, gateway), on=front_page))


def is_sound(advisory: Any) -> bool:
    """Whether pnpm and npm take it: a whole number, a severity they know, a range."""
    return (
        0 < advisory["id"] < 2**53
        and advisory["severity"] in SEVERITIES
        and isinstance(advisory["vulnerable_versions"], str)
        and bool(advisory["vulnerable_versions"])
    )


def audit(client: Client, **asked: list[str]) -> Any:
    """A bulk audit; every advisory in it is sound."""
    answer = client.post(BULK, asked)
    assert answer.status == 200
    assert all(is_sound(one) for found in answer.json.values() for one in found if "title" in one)
    return answer.json


def test_own_advisories_are_added(upstream: RecordingUpstream, client: Client) -> None:
    """To what the upstream has, with the ranges of the records; malware is critical."""
    upstream.state.advisories["axios"] = [{"id": 7, "url": "https://upstream.example/GHSA-2", "severity": "low"}]
    found = audit(client, axios=["1.0.0"], evil=["3.0.0"], lodash=["1.0.0"])
    assert set(found) == {"axios", "evil"}
    theirs, ours = found["axios"]
    assert (theirs["id"], ours["vulnerable_versions"]) == (7, "<1.0.1")
    assert [one["severity"] for one in found["evil"]] == ["critical"]


def test_what_the_upstream_has_too_is_not_said_twice(upstream: RecordingUpstream, client: Client) -> None:
    """The same record is known by its id or an alias."""
    upstream.state.advisories["axios"] = [{"id": 7, "url": "https://upstream.example/advisories/GHSA-1"}]
    assert [one["id"] for one in audit(client, axios=["1.0.0"])["axios"]] == [7]


def test_version_that_is_not_affected_has_no_advisory(client: Client) -> None:
    """Nothing is said of it."""
    assert audit(client, axios=["1.0.1"]) == {}


def test_held_version_is_an_advisory(client: Client) -> None:
    """Once its package was decided about, as an install makes it: with the reason, and that version alone."""
    assert audit(client, axios=["1.1.0"]) == {}
    assert client.get("/axios").status == 200
    (found,) = audit(client, axios=["1.1.0"])["axios"]
    assert found["vulnerable_versions"] == "1.1.0"
    assert "Held by" in found["title"]
    assert "(version_age)" in found["title"]


def test_range_that_is_no_text_never_reaches_a_client(upstream: RecordingUpstream, client: Client) -> None:
    """pnpm would fail on the whole answer."""
    upstream.state.advisories["lodash"] = [{"id": 1, "vulnerable_versions": None}, "x", {"id": 2}]  # type: ignore[list-item]
    assert client.post(BULK, {"lodash": ["1.0.0"]}).json == {"lodash": [{"id": 2}]}


@pytest.mark.parametrize("status", [404, 405, 500])
def test_without_the_upstreams_audit_ours_is_had_alone(
    upstream: RecordingUpstream, client: Client, status: int
) -> None:
    """Also where nothing is found: something was looked at. A notice says what."""
    upstream.on("POST", BULK, Reply(status))
    answer = client.post(BULK, {"evil": ["1.0.0"], "axios": ["1.0.1"]})
    assert list(answer.json) == ["evil"]
    assert "only this registry's own advisories" in answer.headers["npm-notice"]
    assert client.post(BULK, {"axios": ["1.0.1"]}).json == {}


@pytest.mark.parametrize("is_offered", [True, False])
def test_quick_audit_has_them_too(upstream: RecordingUpstream, client: Client, is_offered: bool) -> None:
    """In the form of older clients: an advisory, an action for yarn 1, and the count."""
    if not is_offered:
        upstream.on("POST", QUICK, Reply(405))
    inner = {"version": "1.0.0", "dependencies": {"evil": {"version": "2.0.0"}}}
    tree = {"dependencies": {"axios": {"version": "1.0.0"}, "b": inner}}
    report = client.post(QUICK, tree).json
    found = {one["module_name"]: one for one in report["advisories"].values()}
    assert set(found) == {"axios", "evil"}
    assert all(is_sound(one) and str(one["id"]) in report["advisories"] for one in found.values())
    assert found["evil"]["findings"] == [{"version": "2.0.0", "paths": ["evil"]}]
    assert report["metadata"]["vulnerabilities"]["critical"] == 1
    assert {one["resolves"][0]["id"] for one in report["actions"]} == {one["id"] for one in found.values()}


def test_internal_names_stay_here(upstream: RecordingUpstream, client: Client) -> None:
    """Neither the upstream nor intelligence is asked about them."""
    assert audit(client, **{"@acme/x": ["1.0.0"]}) == {}
    assert upstream.asked("acme") == []
