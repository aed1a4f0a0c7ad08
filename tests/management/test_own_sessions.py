"""The sessions of a person by the management API: listed, ended one by one, all others at once; one's own password."""

from __future__ import annotations

from typing import Any

import pytest
from support.client import Client
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

SESSIONS = "/api/v1/accounts/ann/sessions"
NEW = "another horse battery"


def signed_in(tenants: PlatformFixture, name: str = "ann", **environ: Any) -> Client:
    """A client with a session that was begun by the API."""
    pair = {"username": name, "password": PASSWORD}
    made = Client(tenants.app, environ=environ).post("/api/v1/sessions", pair)
    return Client(tenants.app, made.json["session"], environ=environ)


@pytest.fixture
def people(tenants: PlatformFixture) -> PlatformFixture:
    """A platform administrator, and a reader."""
    assert tenants.administrator == "ann"
    tenants.administrators.create("eve", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    return tenants


def test_sessions_are_listed(people: PlatformFixture) -> None:
    """One's own with where each began; the one of the call is marked, and no secret is shown."""
    first = signed_in(people, HTTP_USER_AGENT="curl/8")
    second = signed_in(people, REMOTE_ADDR="2001:db8::7")
    listed = second.get(SESSIONS).json["sessions"]
    assert {(one["ip"], one["userAgent"], one["isCurrent"]) for one in listed} == {
        ("2001:db8::7", "", True),
        ("192.0.2.7", "curl/8", False),
    }
    assert first.token not in str(listed)
    assert all(one["createdAt"] and one["expiresAt"] and one["lastUsedAt"] for one in listed)


def test_sessions_are_listed_in_pages(people: PlatformFixture) -> None:
    """`next` is given as `after`; what is neither a cursor nor a limit is a 400."""
    clients = [signed_in(people) for _ in range(3)]
    first = clients[0].get(SESSIONS, query="limit=2").json
    second = clients[0].get(SESSIONS, query=f"limit=2&after={first['next']}").json
    assert (len(first["sessions"]), len(second["sessions"]), second["next"]) == (2, 1, None)
    assert len({one["id"] for one in first["sessions"] + second["sessions"]}) == 3
    for query in ("after=x", "limit=0", "limit=201", "page=1"):
        assert clients[0].get(SESSIONS, query=query).status == 400


def test_one_session_ends(people: PlatformFixture) -> None:
    """The next request with it is a 401; a second time there is nothing to end."""
    first, second = signed_in(people), signed_in(people)
    (other,) = (one["id"] for one in second.get(SESSIONS).json["sessions"] if not one["isCurrent"])
    assert second.delete(f"{SESSIONS}/{other}").status == 204
    assert first.get("/api/v1/orgs").status == 401
    assert second.get("/api/v1/orgs").status == 200
    assert second.delete(f"{SESSIONS}/{other}").code == "unknown-session"


def test_all_others_end(people: PlatformFixture) -> None:
    """With keep=current; without it, the session of the call ends, too."""
    first, second, eve = signed_in(people), signed_in(people), signed_in(people, "eve")
    assert second.delete(SESSIONS, query="keep=none").status == 400
    assert second.delete(SESSIONS, query="keep=current").status == 204
    assert [one.get("/api/v1/orgs").status for one in (first, second, eve)] == [401, 200, 200]
    assert second.delete(SESSIONS).status == 204
    assert [one.get("/api/v1/orgs").status for one in (second, eve)] == [401, 200]


def test_readers_see_and_end_their_own_alone(people: PlatformFixture) -> None:
    """Those of others are a platform administrator's."""
    ann, eve = signed_in(people), signed_in(people, "eve")
    (anns,) = ann.get(SESSIONS).json["sessions"]
    for answer in (
        eve.get(SESSIONS),
        eve.delete(SESSIONS),
        eve.delete(SESSIONS, query="keep=current"),
        eve.delete(f"{SESSIONS}/{anns['id']}"),
        eve.put("/api/v1/accounts/ann/password", {"old": PASSWORD, "password": NEW}),
    ):
        assert answer.code == "missing-role"
    own = "/api/v1/accounts/eve/sessions"
    (eves,) = eve.get(own).json["sessions"]
    assert eve.delete(f"{own}/{anns['id']}").code == "unknown-session"
    assert ann.delete(f"{own}/{eves['id']}").status == 204
    assert eve.get(own).status == 401
    assert ann.get("/api/v1/accounts/nobody/sessions").code == "unknown-administrator"


def test_own_password_is_changed(people: PlatformFixture) -> None:
    """With the present one; all sessions end."""
    eve = signed_in(people, "eve")
    path = "/api/v1/accounts/eve/password"
    assert eve.put(path, {"old": "wrong", "password": NEW}).code == "wrong-password"
    assert eve.put(path, {"old": PASSWORD, "password": "short"}).status == 400
    assert eve.put(path, {"old": 5, "password": NEW}).status == 400
    assert eve.put(path, {"old": PASSWORD, "password": NEW}).status == 204
    assert eve.get("/api/v1/orgs").status == 401
    pair = {"username": "eve", "password": NEW}
    assert people.stranger().post("/api/v1/sessions", pair).status == 201


def test_guessing_the_present_password_is_slowed(people: PlatformFixture) -> None:
    """As at the sign-in: whoever holds a session does not learn the password."""
    eve = signed_in(people, "eve")
    answers = [eve.put("/api/v1/accounts/eve/password", {"old": f"x{n}", "password": NEW}).status for n in range(7)]
    assert answers == [403] * 5 + [429] * 2
