"""Signing in and out, and what opens the management API."""

from __future__ import annotations

import base64

import pytest
from house import ACTOR
from town import PASSWORD, Town
from wsgi_client import Client

SESSIONS = "/api/v1/sessions"
ORGS = "/api/v1/orgs"


def sign_in(town, name="ann", password=PASSWORD, **environ):
    return town.stranger(**environ).post(SESSIONS, {"username": name, "password": password})


def test_session_opens_until_it_is_ended(town):
    """201 with a secret that no cache keeps; after DELETE it opens nothing."""
    town.administrator  # noqa: B018 - made when asked for
    answer = sign_in(town)
    assert answer.status == 201
    assert set(answer.json) == {"session", "expiresAt"}
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    manager = Client(town.app, answer.json["session"])
    assert manager.get(ORGS).status == 200
    assert manager.delete(SESSIONS).status == 204
    assert manager.get(ORGS).code == "no-session"
    assert manager.delete(SESSIONS).status == 401


def test_session_of_another_process_holds(town):
    """A session is known to every process, and ended for every one."""
    other = Town(town.storage, orgs=())
    secret = town.session()
    assert Client(other.app, secret).get(ORGS).status == 200
    Client(town.app, secret).delete(SESSIONS)
    assert Client(other.app, secret).get(ORGS).status == 401


def test_removed_administrator_is_out(town):
    """Removing somebody, or changing their password, ends their sessions."""
    manager = town.manager()
    town.administrators.set_password("ann", PASSWORD + "!", actor=ACTOR)
    assert manager.get(ORGS).status == 401


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong password"), ("eve", PASSWORD), ("../ann", PASSWORD)])
def test_wrong_pair_is_401(town, name, password):
    """A wrong password and an unknown name look the same."""
    town.administrator  # noqa: B018
    answer = sign_in(town, name, password)
    assert (answer.status, answer.code) == (401, "wrong-password")


def test_guessing_is_slowed(town):
    """After some wrong passwords there is a 429 that says how long to wait, also for the right one."""
    town.administrator  # noqa: B018
    answers = [sign_in(town, password="wrong password") for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert sign_in(town).status == 429


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
def test_bad_sign_in_is_told_field_by_field(town, body, fields):
    """What is no name and password is not tried."""
    answer = town.stranger().post(SESSIONS, body)
    assert answer.status == 400
    assert set(answer.json["fields"]) == fields


def basic(secret):
    return "Basic " + base64.b64encode(f"ann:{secret}".encode()).decode()


def test_nothing_but_a_session_opens_the_api(town):
    """API tokens, passwords, cookies and other schemes: 401 on every call."""
    session = town.session()
    for headers in (
        {},
        {"AUTHORIZATION": f"Bearer {town.token('acme')}"},
        {"AUTHORIZATION": "Bearer session_"},
        {"AUTHORIZATION": "Bearer"},
        {"AUTHORIZATION": basic(PASSWORD)},
        {"AUTHORIZATION": basic(session)},
        {"AUTHORIZATION": session},
        {"COOKIE": f"session={session}; Authorization=Bearer {session}"},
    ):
        client = Client(town.app, headers=headers)
        for method, path in (("GET", ORGS), ("PUT", f"{ORGS}/acme/settings"), ("DELETE", SESSIONS)):
            answer = client.ask(method, path)
            assert answer.status == 401, (headers, method)
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_session_opens_no_npm_route(town):
    """For npm a session is no token at all: 401, and the upstream never sees it."""
    session = town.session()
    for header in (f"Bearer {session}", basic(session), session):
        client = Client(town.app, headers={"AUTHORIZATION": header})
        for method, path in (("GET", "/acme/lodash"), ("PUT", "/acme/lodash"), ("GET", "/acme/-/whoami")):
            assert client.ask(method, path).code == "invalid-token"
    assert town.upstream.asked == []


def test_sign_in_is_told_without_secrets(town):
    """The server's own trail tells of sessions, by a hash of theirs."""
    town.administrator  # noqa: B018
    secret = sign_in(town).json["session"]
    told = town.organisations.trail("system").chain()
    assert [event["event"] for event in told] == ["administrator.created", "session.created"]
    assert told[1]["ip"] == "192.0.2.7"
    assert secret not in str(told)
    assert PASSWORD not in str(told)
