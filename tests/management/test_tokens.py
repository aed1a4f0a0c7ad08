"""API tokens by the management API."""

from __future__ import annotations

import pytest
from support.client import Client
from support.registry import ACTOR

from nproxy_mw.orgs.revocation import NOT_REACHED, SECONDS, Revocation, revoke_each

TOKENS = "/api/v1/orgs/acme/tokens"
TOO_MANY = {"ids": [f"{number:016x}" for number in range(501)]}
WANTED = {"name": "ci", "scopes": ["proxy", "publish"]}


def test_created_token_opens_the_registry_at_once(tenants):
    """201 with the plaintext, which no cache keeps, no list shows and no object stores."""
    manager = tenants.manager()
    answer = manager.post(TOKENS, {**WANTED, "expiresAt": "2099-01-31T00:00:00+01:00"})
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    shown = {"id", "token", "name", "scopes", "packages", "addresses", "createdAt", "expiresAt"}
    assert set(answer.json) == shown
    assert answer.json["packages"] is answer.json["addresses"] is None
    assert answer.json["scopes"] == ["proxy", "publish"]
    assert answer.json["expiresAt"] == "2099-01-30T23:00:00.000Z"
    secret = answer.json["token"]
    assert Client(tenants.app, secret).get("/acme/-/whoami").json == {"username": "ci"}
    assert secret not in manager.get(TOKENS).body.decode()
    assert not any(secret.encode() in tenants.storage.read(key).data for key in tenants.storage.list())


def test_list_tells_everything_but_the_secret(tenants):
    """Newest first, each with its last use."""
    manager = tenants.manager()
    made = [manager.post(TOKENS, {"name": name, "scopes": ["proxy"]}).json for name in ("one", "two")]
    Client(tenants.app, made[0]["token"]).get("/acme/-/whoami")
    shown = {token["name"]: token for token in manager.get(TOKENS).json["tokens"]}
    assert set(shown) == {"one", "two"}
    times = {"createdAt", "expiresAt", "lastUsedAt", "revokedAt"}
    assert set(shown["one"]) == {"id", "name", "scopes", "packages", "addresses"} | times
    assert shown["one"]["lastUsedAt"]
    assert shown["two"]["lastUsedAt"] is None


def test_revoked_token_opens_nothing_in_the_next_request(tenants):
    """204, then 401 everywhere; a second time there is nothing to revoke."""
    manager = tenants.manager()
    made = manager.post(TOKENS, WANTED).json
    client = Client(tenants.app, made["token"])
    assert client.get("/acme/-/whoami").status == 200
    assert manager.delete(f"{TOKENS}/{made['id']}").status == 204
    assert client.get("/acme/-/whoami").code == "invalid-token"
    assert client.get("/acme/lodash").code == "invalid-token"
    assert manager.delete(f"{TOKENS}/{made['id']}").code == "unknown-token"


@pytest.mark.parametrize("org", ["beta", "gamma"])
def test_token_of_another_organization_is_not_there(tenants, org):
    """An id is of its own organization."""
    made = tenants.manager().post(TOKENS, WANTED).json
    assert tenants.manager().delete(f"/api/v1/orgs/{org}/tokens/{made['id']}").status == 404
    assert Client(tenants.app, made["token"]).get("/acme/-/whoami").status == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, {"name", "scopes"}, id="nothing"),
        pytest.param({**WANTED, "name": ""}, {"name"}, id="no name"),
        pytest.param({**WANTED, "name": "a\nb"}, {"name"}, id="a line break"),
        pytest.param({**WANTED, "scopes": []}, {"scopes"}, id="no scope"),
        pytest.param({**WANTED, "scopes": "proxy"}, {"scopes"}, id="no list"),
        pytest.param({**WANTED, "scopes": {"proxy": 1}}, {"scopes"}, id="an object"),
        pytest.param({**WANTED, "scopes": ["admin"]}, {"scopes"}, id="an unknown scope"),
        pytest.param({**WANTED, "scopes": [["proxy"]]}, {"scopes"}, id="nested"),
        pytest.param({**WANTED, "expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt"}, id="in the past"),
        pytest.param({**WANTED, "expiresAt": "2099-01-01T00:00:00"}, {"expiresAt"}, id="without a zone"),
        pytest.param({**WANTED, "expiresAt": "9999-12-31T23:59:59-23:59"}, {"expiresAt"}, id="at the end of time"),
        pytest.param({**WANTED, "expiresAt": 5}, {"expiresAt"}, id="a number"),
        pytest.param({**WANTED, "expiresAt": "soon"}, {"expiresAt"}, id="no time"),
        pytest.param({**WANTED, "grants": []}, {"grants"}, id="another field"),
        pytest.param({**WANTED, "packages": []}, {"packages"}, id="no packages"),
        pytest.param({**WANTED, "packages": "@acme"}, {"packages"}, id="packages, no list"),
        pytest.param({**WANTED, "packages": ["lodash"]}, {"packages"}, id="a public package"),
        pytest.param({**WANTED, "packages": ["@acme"] * 101}, {"packages"}, id="too many packages"),
        pytest.param({**WANTED, "addresses": []}, {"addresses"}, id="no addresses"),
        pytest.param({**WANTED, "addresses": {"10.0.0.0/8": 1}}, {"addresses"}, id="addresses, no list"),
        pytest.param({**WANTED, "addresses": ["10.0.0.1/8"]}, {"addresses"}, id="no range"),
        pytest.param({**WANTED, "packages": [5], "addresses": [5]}, {"packages", "addresses"}, id="numbers"),
    ],
)
def test_bad_token_is_told_field_by_field(tenants, body, fields):
    """400 with a sentence per field, and no token is made."""
    manager = tenants.manager()
    answer = manager.post(TOKENS, body)
    assert answer.status == 400
    assert set(answer.json["fields"]) == fields
    assert manager.get(TOKENS).json == {"tokens": [], "unreadable": []}


def test_restricted_token(tenants):
    """Restrictions are answered in their plainest form, listed, and in effect at once."""
    manager = tenants.manager()
    wanted = {**WANTED, "packages": ["@acme/*", "@acme/web-*"], "addresses": ["192.0.2.7", "2001:DB8::/32"]}
    made = manager.post(TOKENS, wanted).json
    assert made["packages"] == ["@acme", "@acme/web-*"]
    assert made["addresses"] == ["192.0.2.7/32", "2001:db8::/32"]
    (listed,) = manager.get(TOKENS).json["tokens"]
    assert (listed["packages"], listed["addresses"]) == (made["packages"], made["addresses"])
    client = Client(tenants.app, made["token"])
    assert client.get("/acme/-/whoami").status == 200
    assert client.get("/acme/-/whoami", environ={"REMOTE_ADDR": "192.0.2.8"}).code == "address-not-allowed"


def test_tokens_are_revoked_together(tenants):
    """The answer says what came of each; there is one event for each token that was ended, by who did it."""
    manager, trail = tenants.manager(), tenants.platform.organization("acme").trail
    one, two, three = (manager.post(TOKENS, {"name": name, "scopes": ["proxy"]}).json for name in ("a", "b", "c"))
    manager.delete(f"{TOKENS}/{three['id']}")
    other = tenants.manager().post("/api/v1/orgs/beta/tokens", WANTED).json
    answer = manager.post(f"{TOKENS}/revoke", {"ids": [one["id"], "0" * 16, two["id"], three["id"], other["id"]]})
    assert answer.status == 200
    assert answer.json["revoked"] == [one["id"], two["id"]]
    assert [left["id"] for left in answer.json["notRevoked"]] == ["0" * 16, three["id"], other["id"]]
    assert all("There is no token with that id" in left["error"] for left in answer.json["notRevoked"])
    ended = [event["token"]["id"] for event in trail.page(event="token.revoked")[0]]
    assert sorted(ended) == sorted([one["id"], two["id"], three["id"]])
    assert {event["by"] for event in trail.page(event="token.revoked")[0]} == {"ann"}
    assert Client(tenants.app, one["token"]).get("/acme/-/whoami").code == "invalid-token"
    assert Client(tenants.app, other["token"]).get("/beta/-/whoami").status == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": []}, {"ids": "0" * 16}, {"ids": [1]}, {"ids": ["x"]}, {"ids": ["0" * 16] * 2}, TOO_MANY],
    ids=["nothing", "none", "a text", "a number", "no id", "twice", "too many"],
)
def test_a_list_to_revoke_that_is_none_is_refused(tenants, body):
    """400 with a sentence; every token goes on."""
    manager = tenants.manager()
    made = manager.post(TOKENS, WANTED).json
    assert manager.post(f"{TOKENS}/revoke", body).status == 400
    assert Client(tenants.app, made["token"]).get("/acme/-/whoami").status == 200


def test_a_call_says_which_tokens_it_did_not_reach(tenants):
    """When the time of a call is over, the rest is named, and a second call ends it."""
    organization = tenants.platform.organization("acme")
    for _ in range(4):
        tenants.token("acme", "proxy")
    ids = [record.id for record in organization.tokens.list()]
    moments = iter([0.0, 1.0, SECONDS])
    done = revoke_each(organization.tokens, ids, actor=ACTOR, clock=lambda: next(moments, SECONDS + 1))
    assert len(done.revoked) == 2
    assert set(done.left) == set(ids) - set(done.revoked)
    assert {error.message for error in done.left.values()} == {NOT_REACHED}
    assert [record.id for record in organization.tokens.list()] == list(done.left)
    assert revoke_each(organization.tokens, done.left, actor=ACTOR) == Revocation(list(done.left), {})
    assert organization.tokens.list() == []


def test_one_that_fails_does_not_keep_the_others(tenants):
    """A damaged record is named, in the list too; to revoke all is then a 503 that says how far it came."""
    manager, organization = tenants.manager(), tenants.platform.organization("acme")
    secrets = [tenants.token("acme", "proxy") for _ in range(3)]
    damaged = organization.tokens.list()[1]
    key = f"orgs/acme/tokens/{damaged.hash}.json"
    tenants.storage.replace(key, b"{", tenants.storage.read(key).revision)
    listed = manager.get(TOKENS).json
    assert (len(listed["tokens"]), listed["unreadable"]) == (2, [damaged.id])
    answer = manager.post(f"{TOKENS}/revoke", {"ids": [damaged.id]}).json
    assert (answer["revoked"], answer["notRevoked"][0]["id"]) == ([], damaged.id)
    refused = manager.delete(TOKENS)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "not-all-revoked", "1")
    assert refused.json["error"] == "Tokens that were revoked: 2; that were not: 1. Send this again."
    codes = [Client(tenants.app, secret).get("/acme/-/whoami").code for secret in secrets]
    assert sorted(codes) == ["damaged-object", "invalid-token", "invalid-token"]
