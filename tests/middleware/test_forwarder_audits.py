"""Keys, attestations and audits through Forwarder."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from support.forwarding import Client
from support.layers import FixedSettings

from nproxy_mw.npm.audits import empty_report
from nproxy_mw.testing.upstream import RecordingUpstream, Reply, json_reply


def test_keys_are_relayed(upstream: RecordingUpstream, client: Client) -> None:
    """And 404 where there are none: npm takes that alone for "this registry signs nothing"."""
    assert client.get("/-/npm/v1/keys").status == 404
    upstream.state.keys = [{"keyid": "SHA256:x", "expires": None}]
    assert client.get("/-/npm/v1/keys").json == {"keys": upstream.state.keys}
    for reply in (Reply(405), Reply(400), json_reply({})):
        upstream.on("GET", "/-/npm/v1/keys", reply)
        assert client.get("/-/npm/v1/keys").status == 404


def test_attestations_are_relayed(upstream: RecordingUpstream, client: Client) -> None:
    """npm audit signatures fetches them by the path our packument names."""
    upstream.state.attestations["@types/node@1.0.0"] = {"attestations": [{"predicateType": "x"}]}
    assert client.get("/-/npm/v1/attestations/@types/node@1.0.0").json == {"attestations": [{"predicateType": "x"}]}
    assert client.get("/-/npm/v1/attestations/@types/node@2.0.0").status == 404


BULK = "/-/npm/v1/security/advisories/bulk"
QUICK = "/-/npm/v1/security/audits/quick"
REFUSALS = (400, 401, 403, 404, 405, 410, 422, 429, 451, 500, 503, 504)
"""Statuses of upstreams that have no audits, or none just now, or none for us."""


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_bulk_audit_goes_up_without_internal_names(upstream: RecordingUpstream, client: Client, encoding: str) -> None:
    """npm and bun send it gzipped, the others plain."""
    upstream.state.advisories["lodash"] = [{"id": 1}]
    body = json.dumps({"lodash": ["1.0.0"], "@acme/x": ["1.0.0"]}).encode()
    headers = {"Content_Encoding": encoding} if encoding else {}
    response = client.ask("POST", BULK, gzip.compress(body) if encoding else body, **headers)
    assert response.json == {"lodash": [{"id": 1}]}
    assert json.loads(upstream.requests[0].body) == {"lodash": ["1.0.0"]}
    assert upstream.asked("acme") == []


def test_audit_of_internal_packages_alone_asks_nobody(upstream: RecordingUpstream, client: Client) -> None:
    """Not even that an audit takes place is told."""
    assert client.ask("POST", BULK, {"@acme/x": ["1.0.0"]}).json == {}
    quick = client.ask("POST", QUICK, {"name": "p", "dependencies": {"@acme/x": {"version": "1.0.0"}}})
    assert quick.json["advisories"] == {}
    assert quick.headers["Cache-Control"] == "private, no-cache"
    assert upstream.requests == []


@pytest.mark.parametrize("status", REFUSALS)
def test_bulk_audit_never_fails_an_install(upstream: RecordingUpstream, client: Client, status: int) -> None:
    """200 and nothing found, with a notice that nothing was looked at."""
    upstream.on("POST", BULK, Reply(status, b"<html>"))
    response = client.ask("POST", BULK, {"lodash": ["1.0.0"]})
    assert (response.status, response.json) == (200, {})
    assert "no security audit: nothing was checked" in response.headers["npm-notice"]


def test_quick_audit_goes_up_rebuilt(upstream: RecordingUpstream, client: Client) -> None:
    """Its tree is laid flat, its names are public ones."""
    internal = {"version": "1.0.0", "dependencies": {"lodash": {"version": "1.0.0"}}}
    tree = {"name": "secret-project", "dependencies": {"@acme/x": internal}}
    upstream.state.advisories["lodash"] = [{"id": 7}]
    assert client.ask("POST", QUICK, tree).json["advisories"] == {"7": {"id": 7}}
    assert upstream.asked("acme") == upstream.asked("secret-project") == []


@pytest.mark.parametrize("status", REFUSALS)
def test_quick_audit_never_fails_an_install(upstream: RecordingUpstream, client: Client, status: int) -> None:
    """200 and an empty report, with a notice that nothing was looked at."""
    upstream.on("POST", QUICK, Reply(status, b"<html>"))
    response = client.ask("POST", QUICK, {"dependencies": {"lodash": {"version": "1.0.0"}}})
    assert (response.status, response.json) == (200, empty_report())
    assert "no security audit: nothing was checked" in response.headers["npm-notice"]


@pytest.mark.parametrize(
    ("path", "body"),
    [(BULK, {"lodash": ["1.0.0"]}), (QUICK, {"dependencies": {"lodash": {"version": "1.0.0"}}})],
)
def test_unknown_can_be_told_from_nothing(upstream: RecordingUpstream, path: str, body: Any) -> None:
    """An organization may want a 404 where nobody has advisories."""
    settings = FixedSettings()
    settings.audit_without_advisories = "not-found"
    client = Client(upstream.url, settings=settings)
    assert client.ask("POST", path, body).status == 200
    upstream.on("POST", path, Reply(405))
    assert client.ask("POST", path, body).status == 404
    assert client.ask("POST", path, {"@acme/x": ["1.0.0"]} if path == BULK else {}).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
def test_audit_that_is_no_object_is_400(client: Client, body: bytes) -> None:
    """The client's fault, told so."""
    assert client.ask("POST", BULK, body).status == 400
    assert client.ask("POST", QUICK, body).status == 400
