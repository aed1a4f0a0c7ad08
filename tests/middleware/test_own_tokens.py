"""OwnTokens: a token lists and ends itself, and nothing else."""

from __future__ import annotations

import pytest
from town import Town
from wsgi_client import Client

LIST = "/acme/-/npm/v1/tokens"
ONE = "/acme/-/npm/v1/tokens/token"
LOGOUT = "/acme/-/user/token"


@pytest.fixture
def town():
    """Two organisations."""
    return Town()


def test_token_lists_itself(town):
    """One entry, with what npm needs to show it, and no secret."""
    town.token("acme")
    secret = town.token("acme", "proxy")
    answer = Client(town.app, secret).get(LIST)
    (entry,) = answer.json["objects"]
    assert answer.json["urls"] == {}
    assert secret.startswith(entry["token"])
    assert (entry["name"], entry["readonly"], entry["cidr_whitelist"]) == ("bob", True, None)
    assert secret not in answer.body.decode()


@pytest.mark.parametrize("how", ["key", "hash", "plaintext", "logout"])
def test_token_ends_itself(town, how):
    """By its key as npm token revoke does, by its plaintext as npm logout does; then it opens nothing."""
    secret = town.token("acme", "proxy")
    client = Client(town.app, secret)
    principal = town.platform.organisation("acme").tokens.find(secret)
    path = {
        "key": f"{ONE}/{principal.token_id}",
        "hash": f"{ONE}/{principal.token_hash}",
        "plaintext": f"{ONE}/{secret}",
        "logout": f"{LOGOUT}/{secret}",
    }[how]
    assert client.delete(path).status == 200
    assert client.get("/acme/-/whoami").code == "invalid-token"
    (event,) = town.platform.organisation("acme").trail.page(event="token.revoked")[0]
    assert (event["by"], event["tokenHash"]) == ("bob", principal.token_hash)


def test_other_tokens_are_not_there(town):
    """Neither one of the same name, nor another organisation's, nor one that is none can be ended."""
    client = town.client("acme")
    others = [town.token("acme"), town.token("beta")]
    hashes = [
        town.platform.organisation(org).tokens.find(secret).token_hash
        for org, secret in zip(("acme", "beta"), others, strict=True)
    ]
    for name in (*others, *hashes, hashes[0][:16], "x", "0" * 64):
        answers = [client.delete(f"{place}/{name}") for place in (ONE, LOGOUT)]
        assert {(answer.status, answer.code) for answer in answers} == {(404, "unknown-token")}
    assert Client(town.app, others[0]).get("/acme/-/whoami").status == 200
    assert Client(town.app, others[1]).get("/beta/-/whoami").status == 200


def test_token_makes_no_token(town):
    """405: a token could otherwise widen itself, or outlive its end."""
    answer = town.client("acme").post(LIST, {"name": "x", "password": "y"})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("DELETE", f"{ONE}/x"), ("DELETE", f"{LOGOUT}/x")])
@pytest.mark.parametrize("secret", ["", "npm_x"])
def test_nobody_has_no_tokens(town, method, path, secret):
    """Without a token of ours: 401."""
    assert Client(town.app, secret).ask(method, path).status == 401
