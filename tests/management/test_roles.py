"""What each role may do: the management API, and npm login, by the role that an account has at that moment."""

from __future__ import annotations

from typing import Any

import pytest
from support.client import Client
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR, publish

ACME = "/api/v1/orgs/acme"
FUTURE = "2199-01-01T00:00:00Z"

# (method, path, body) -> the statuses of a platform administrator, an administrator of acme, a reader of acme, an
# administrator of beta, and a reader of every organization
CALLS: list[tuple[str, str, Any, tuple[int, int, int, int, int]]] = [
    ("GET", "/api/v1/orgs", None, (200, 200, 200, 200, 200)),
    ("POST", "/api/v1/orgs", {"id": "gamma"}, (201, 403, 403, 403, 403)),
    ("GET", f"{ACME}/settings", None, (200, 200, 403, 404, 403)),
    ("PUT", f"{ACME}/settings", {"publicReads": False}, (200, 200, 403, 404, 403)),
    ("GET", f"{ACME}/tokens", None, (200, 200, 403, 404, 403)),
    ("POST", f"{ACME}/tokens", {"name": "ci", "scopes": ["proxy"]}, (201, 201, 403, 404, 403)),
    ("DELETE", f"{ACME}/tokens/0123456789abcdef", None, (404, 404, 403, 404, 403)),
    ("DELETE", f"{ACME}/tokens", None, (204, 204, 403, 404, 403)),
    ("GET", f"{ACME}/keys", None, (200, 200, 200, 404, 200)),
    ("POST", f"{ACME}/keys", None, (201, 201, 403, 404, 403)),
    ("GET", "/api/v1/accounts", None, (200, 403, 403, 403, 403)),
    ("POST", "/api/v1/accounts", {"name": "new", "password": "long enough"}, (201, 403, 403, 403, 403)),
    ("PUT", "/api/v1/accounts/reader", {"role": "administrator"}, (200, 403, 403, 403, 403)),
    ("PUT", "/api/v1/accounts/nobody", {"role": "reader"}, (404, 403, 403, 403, 403)),
    ("DELETE", "/api/v1/accounts/nobody", None, (404, 403, 403, 403, 403)),
    ("DELETE", "/api/v1/accounts/nobody/sessions", None, (404, 403, 403, 403, 403)),
    ("GET", f"{ACME}/audit", None, (200, 200, 200, 404, 200)),
    ("GET", f"{ACME}/packages", None, (200, 200, 200, 404, 200)),
    ("GET", f"{ACME}/packages/@acme/utils", None, (200, 200, 200, 404, 200)),
    ("GET", f"{ACME}/exceptions/requests", None, (200, 200, 200, 404, 200)),
    ("POST", f"{ACME}/exceptions/requests", {"package": "x", "reason": "needed"}, (201, 201, 201, 404, 201)),
    ("POST", f"{ACME}/exceptions/requests/0123/approve", {"expiresAt": FUTURE}, (404, 404, 403, 404, 403)),
    ("POST", f"{ACME}/exceptions/requests/0123/deny", {}, (404, 404, 403, 404, 403)),
]
ROLES: list[tuple[str, str, list[str] | None]] = [
    ("platform", "administrator", None),
    ("acme", "administrator", ["acme"]),
    ("acme-reader", "reader", ["acme"]),
    ("beta", "administrator", ["beta"]),
    ("reader", "reader", None),
]


@pytest.fixture
def tenants() -> PlatformFixture:
    """A platform with an account of each role, and a package."""
    tenants = PlatformFixture()
    tenants.scopes("acme", "@acme")
    publish(Client(Prefixed(tenants.app), tenants.token("acme")))
    for name, role, organizations in ROLES:
        tenants.administrators.create(name, PASSWORD, role=role, organizations=organizations, actor=ACTOR)
    return tenants


class Prefixed:
    """The registry of acme."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app({**environ, "PATH_INFO": f"/acme{environ['PATH_INFO']}"}, start_response)


def session_of(tenants: PlatformFixture, name: str) -> Client:
    """A client that is signed in as *name*."""
    user = tenants.administrators.find(name)
    return Client(tenants.app, tenants.sessions.create(user, actor=ACTOR)[0])


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    CALLS,
    ids=[f"{call[0]} {call[1].removeprefix('/api/v1')}" for call in CALLS],
)
def test_each_role_may_do_what_the_table_says(
    tenants: PlatformFixture, method: str, path: str, body: Any, statuses: tuple[int, ...]
) -> None:
    """A 403 says what to do; whoever does not see an organization gets the 404 of one that does not exist."""
    for (name, _, _), status in reversed(list(zip(ROLES, statuses, strict=True))):
        answer = session_of(tenants, name).ask(method, path, json=body)
        assert (name, answer.status) == (name, status)
        if status == 403:
            assert "ask" in answer.error


def test_a_list_of_organizations_holds_those_that_are_seen(tenants: PlatformFixture) -> None:
    """Nobody learns the names of other organizations."""
    seen = {
        name: [org["id"] for org in session_of(tenants, name).get("/api/v1/orgs").json["orgs"]] for name, _, _ in ROLES
    }
    assert seen == {
        "platform": ["acme", "beta"],
        "acme": ["acme"],
        "acme-reader": ["acme"],
        "beta": ["beta"],
        "reader": ["acme", "beta"],
    }


def test_a_role_changes_at_the_next_request(tenants: PlatformFixture) -> None:
    """A session that was there before has the new role, and loses what the old one allowed."""
    client = session_of(tenants, "acme")
    assert client.get(f"{ACME}/settings").status == 200
    tenants.administrators.set_access("acme", role="reader", organizations=["acme"], actor=ACTOR)
    assert client.get(f"{ACME}/settings").status == 403
    tenants.administrators.set_access("acme", role="administrator", organizations=["beta"], actor=ACTOR)
    assert client.get(f"{ACME}/packages").status == 404


def test_the_trail_tells_of_roles(tenants: PlatformFixture) -> None:
    """What was granted, and to whom, stands in the server's own audit trail."""
    tenants.administrators.set_access("beta", role="reader", organizations=["acme", "beta"], actor=ACTOR)
    events = [event for event in tenants.organizations.trail("system").chain() if event.get("administrator") == "beta"]
    assert [(event["event"], event["role"], event["organizations"]) for event in events] == [
        ("administrator.created", "administrator", ["beta"]),
        ("administrator.role-changed", "reader", ["acme", "beta"]),
    ]


@pytest.mark.parametrize(("name", "status"), [("platform", 201), ("acme", 201), ("acme-reader", 403), ("beta", 403)])
def test_npm_login_gives_tokens_to_administrators_of_the_organization(
    tenants: PlatformFixture, name: str, status: int
) -> None:
    """A reader, and an administrator of another organization, cannot make themselves a token by npm login."""
    body = {"name": name, "password": PASSWORD}
    answer = Client(tenants.app).put(f"/acme/-/user/org.couchdb.user:{name}", body)
    assert answer.status == status


def test_an_account_that_an_older_version_stored_is_a_platform_administrator(tenants: PlatformFixture) -> None:
    """It has no role in its record."""
    tenants.administrators.create("old", PASSWORD, actor=ACTOR)
    key = "administrators/old.json"
    stored = tenants.storage.read(key)
    data = stored.data.replace(b'"role":"administrator",', b"").replace(b'"organizations":null,', b"")
    tenants.storage.replace(key, data, stored.revision)
    user = tenants.administrators.find("old")
    assert user is not None
    assert user.is_platform_administrator


@pytest.mark.parametrize(
    ("role", "organizations"), [("owner", None), (1, None), ("reader", []), ("reader", ["../x"]), ("reader", ["A"])]
)
def test_an_invalid_role_is_refused(tenants: PlatformFixture, role: object, organizations: list[str] | None) -> None:
    """Nothing is stored."""
    with pytest.raises(ValueError, match=r"A role is one of|Name 1 to"):
        tenants.administrators.create("new", PASSWORD, role=role, organizations=organizations, actor=ACTOR)
    assert tenants.administrators.find("new") is None


def test_accounts_are_managed_by_the_api(tenants: PlatformFixture) -> None:
    """What the page about people does; nobody changes their own account, and everybody ends their own sessions."""
    client, accounts = session_of(tenants, "platform"), "/api/v1/accounts"
    made = client.post(accounts, {"name": "zoe", "password": PASSWORD, "role": "reader", "organizations": ["acme"]})
    assert made.json == {"name": "zoe", "role": "reader", "organizations": ["acme"]}
    assert made.json in client.get(accounts).json["accounts"]
    zoe = session_of(tenants, "zoe")
    assert client.put(f"{accounts}/zoe", {"role": "administrator"}).json["organizations"] == ["acme"]
    assert zoe.get(f"{ACME}/settings").status == 200
    assert zoe.delete(f"{accounts}/zoe/sessions").status == 204
    assert zoe.get(f"{ACME}/settings").status == 401
    assert client.put(f"{accounts}/zoe", {"password": "another password"}).status == 200
    assert client.delete(f"{accounts}/zoe").status == 204
    assert client.put(f"{accounts}/platform", {"role": "reader"}).code == "own-account"
    assert client.delete(f"{accounts}/platform").status == 409
    assert client.post(accounts, {"name": "x", "password": PASSWORD, "organizations": "acme"}).status == 400
    assert client.post(accounts, {"name": "x", "password": PASSWORD, "role": ["reader"]}).status == 400
    assert client.get(f"{accounts}/zoe/x").status == 404
