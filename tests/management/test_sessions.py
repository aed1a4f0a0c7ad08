"""Signing in and out, and what opens the management API."""

from __future__ import annotations

import base64

import pytest
from support.client import Client
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

SESSIONS = "/api/v1/sessions"
ORGS = "/api/v1/orgs"


def sign_in(tenants, name="ann", password=PASSWORD, **environ):
    return tenants.stranger(**environ).post(SESSIONS, {"username": name, "password": password})


def test_session_opens_until_it_is_ended(tenants):
    """201 with a secret that no cache keeps; after DELETE it opens nothing."""
    tenants.administrator  # noqa: B018 - made when asked for
    answer = sign_in(tenants)
    assert answer.status == 201
    assert set(answer.json) == {"session", "expiresAt"}
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    manager = Client(tenants.app, answer.json["session"])
    assert manager.get(ORGS).status == 200
    assert manager.delete(SESSIONS).status == 204
    assert manager.get(ORGS).code == "no-session"
    assert manager.delete(SESSIONS).status == 401


def test_session_of_another_process_holds(tenants):
    """A session is known to every process, and ended for every one."""
    other = PlatformFixture(tenants.storage, orgs=())
    secret = tenants.session()
    assert Client(other.app, secret).get(ORGS).status == 200
    Client(tenants.app, secret).delete(SESSIONS)
    assert Client(other.app, secret).get(ORGS).status == 401


def test_removed_administrator_is_out(tenants):
    """Removing somebody, or changing their password, ends their sessions."""
    manager = tenants.manager()
    tenants.administrators.set_password("ann", PASSWORD + "!", actor=ACTOR)
    assert manager.get(ORGS).status == 401


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong password"), ("eve", PASSWORD), ("../ann", PASSWORD)])
def test_wrong_pair_is_401(tenants, name, password):
    """A wrong password and an unknown name look the same."""
    tenants.administrator  # noqa: B018
    answer = sign_in(tenants, name, password)
    assert (answer.status, answer.code) == (401, "wrong-password")


def test_guessing_is_slowed(tenants):
    """After some wrong passwords there is a 429 that says how long to wait, also for the right one."""
    tenants.administrator  # noqa: B018
    answers = [sign_in(tenants, password="wrong password") for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert sign_in(tenants).status == 429


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, {"username", "password"}, id="nothing"),
        pytest.param({"username": "ann", "password": 5}, {"password"}, id="a number"),
        pytest.param({"username": "", "password": "x"}, {"username"}, id="an empty name"),
        pytest.param({"username": "ann", "password": "x" * 1025}, {"password"}, id="a long password"),
        pytest.param({"username": "ann", "password": "x", "otp": "1"}, {"otp"}, id="another field"),
    ],
)
def test_bad_sign_in_is_told_field_by_field(tenants, body, fields):
    """What is no name and password is not tried."""
    answer = tenants.stranger().post(SESSIONS, body)
    assert answer.status == 400
    assert set(answer.json["fields"]) == fields


def basic(secret):
    return "Basic " + base64.b64encode(f"ann:{secret}".encode()).decode()


def test_nothing_but_a_session_opens_the_api(tenants):
    """API tokens, passwords, cookies and other schemes: 401 on every call."""
    session = tenants.session()
    for headers in (
        {},
        {"AUTHORIZATION": f"Bearer {tenants.token('acme')}"},
        {"AUTHORIZATION": "Bearer session_"},
        {"AUTHORIZATION": "Bearer"},
        {"AUTHORIZATION": basic(PASSWORD)},
        {"AUTHORIZATION": basic(session)},
        {"AUTHORIZATION": session},
        {"COOKIE": f"session={session}; Authorization=Bearer {session}"},
    ):
        client = Client(tenants.app, headers=headers)
        for method, path in (("GET", ORGS), ("PUT", f"{ORGS}/acme/settings"), ("DELETE", SESSIONS)):
            answer = client.ask(method, path)
            assert answer.status == 401, (headers, method)
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_session_opens_no_npm_route(tenants):
    """For npm a session is no token at all: 401, and the upstream never sees it."""
    session = tenants.session()
    for header in (f"Bearer {session}", basic(session), session):
        client = Client(tenants.app, headers={"AUTHORIZATION": header})
        for method, path in (("GET", "/acme/lodash"), ("PUT", "/acme/lodash"), ("GET", "/acme/-/whoami")):
            assert client.ask(method, path).code == "invalid-token"
    assert tenants.upstream.asked == []


def test_sign_in_is_told_without_secrets(tenants):
    """The server's own trail tells of sessions, by a hash of theirs."""
    tenants.administrator  # noqa: B018
    secret = sign_in(tenants).json["session"]
    told = tenants.organizations.trail("system").chain()
    assert [event["event"] for event in told] == ["administrator.created", "session.created"]
    assert told[1]["ip"] == "192.0.2.7"
    assert secret not in str(told)
    assert PASSWORD not in str(told)


@pytest.mark.parametrize("path", [ORGS, f"{ORGS}/acme/settings", f"{ORGS}/acme/tokens"])
def test_api_token_opens_no_management(tenants, path):
    """It is refused by a sentence of its own, whatever it may do: the caller took the wrong one of two secrets."""
    answer = Client(tenants.app, tenants.token("acme")).get(path)
    assert (answer.status, answer.code) == (401, "not-a-session")
    assert "POST /api/v1/sessions" in answer.json["error"]


@pytest.mark.parametrize("path", ["/@acme%2futils", "/lodash", "/-/whoami"])
def test_session_opens_no_package(tenants, path):
    """The other way round, too; and it does not go to the upstream as a token of that."""
    answer = Client(tenants.app, tenants.session()).get(f"/acme{path}")
    assert (answer.status, answer.code) == (401, "invalid-token")
