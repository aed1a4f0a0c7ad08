"""OwnTokens: a token lists and ends itself, and nothing else."""

from __future__ import annotations

import pytest
from support.client import Client
from support.hosting import PlatformFixture

LIST = "/acme/-/npm/v1/tokens"
ONE = "/acme/-/npm/v1/tokens/token"
LOGOUT = "/acme/-/user/token"


@pytest.fixture
def tenants():
    """Two organizations."""
    return PlatformFixture()


def test_token_lists_itself(tenants):
    """One entry, with what npm needs to show it, and no secret."""
    tenants.token("acme")
    secret = tenants.token("acme", "proxy")
    answer = Client(tenants.app, secret).get(LIST)
    (entry,) = answer.json["objects"]
    assert answer.json["urls"] == {}
    assert secret.startswith(entry["token"])
    assert (entry["name"], entry["readonly"], entry["cidr_whitelist"]) == ("bob", True, None)
    assert secret not in answer.body.decode()


@pytest.mark.parametrize("how", ["key", "hash", "plaintext", "logout"])
def test_token_ends_itself(tenants, how):
    """By its key as npm token revoke does, by its plaintext as npm logout does; then it opens nothing."""
    secret = tenants.token("acme", "proxy")
    client = Client(tenants.app, secret)
    principal = tenants.platform.organization("acme").tokens.find(secret)
    path = {
        "key": f"{ONE}/{principal.token_id}",
        "hash": f"{ONE}/{principal.token_hash}",
        "plaintext": f"{ONE}/{secret}",
        "logout": f"{LOGOUT}/{secret}",
    }[how]
    assert client.delete(path).status == 200
    assert client.get("/acme/-/whoami").code == "invalid-token"
    (event,) = tenants.platform.organization("acme").trail.page(event="token.revoked")[0]
    assert (event["by"], event["tokenHash"]) == ("bob", principal.token_hash)


def test_other_tokens_are_not_there(tenants):
    """Neither one of the same name, nor another organization's, nor one that is none can be ended."""
    client = tenants.client("acme")
    others = [tenants.token("acme"), tenants.token("beta")]
    hashes = [
        tenants.platform.organization(org).tokens.find(secret).token_hash
        for org, secret in zip(("acme", "beta"), others, strict=True)
    ]
    for name in (*others, *hashes, hashes[0][:16], "x", "0" * 64):
        answers = [client.delete(f"{place}/{name}") for place in (ONE, LOGOUT)]
        assert {(answer.status, answer.code) for answer in answers} == {(404, "unknown-token")}
    assert Client(tenants.app, others[0]).get("/acme/-/whoami").status == 200
    assert Client(tenants.app, others[1]).get("/beta/-/whoami").status == 200


def test_token_makes_no_token(tenants):
    """405: a token could otherwise widen itself, or outlive its end."""
    answer = tenants.client("acme").post(LIST, {"name": "x", "password": "y"})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("DELETE", f"{ONE}/x"), ("DELETE", f"{LOGOUT}/x")])
@pytest.mark.parametrize("secret", ["", "npm_x"])
def test_nobody_has_no_tokens(tenants, method, path, secret):
    """Without a token of ours: 401."""
    assert Client(tenants.app, secret).ask(method, path).status == 401
