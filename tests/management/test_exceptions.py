"""Requests for exceptions by the management API."""

import pytest

from nproxy_mw.orgs.settings_fields import Settings

REQUESTS = "/api/v1/orgs/acme/exceptions/requests"
WISH = {"package": "left-pad", "versions": ["^1.0.0"], "rules": ["version_age"], "reason": "needed by the build"}
END = "2099-01-01T00:00:00.000Z"


@pytest.fixture
def token(tenants):
    """A client that calls the management API with an API token of acme that may install."""
    return tenants.client("acme", "proxy")


def exceptions_of(tenants, org="acme"):
    return list(tenants.platform.organization(org).settings.get().exceptions)


def events_of(manager):
    """The events about exceptions, in the order of their names: within a millisecond they have no other."""
    events = manager.get("/api/v1/orgs/acme/audit").json["events"]
    return sorted(kind for kind in (event["event"] for event in events) if kind.startswith(("exception.", "settings.")))


def test_token_asks_and_session_approves(tenants, token):
    """A developer's token asks, an administrator approves, and the exception holds; the trail has all of it."""
    asked = token.post(REQUESTS, WISH)
    assert asked.status == 201
    assert (asked.json["state"], asked.json["requestedBy"], asked.json["answeredBy"]) == ("requested", "bob", None)
    assert exceptions_of(tenants) == []
    manager = tenants.manager()
    assert manager.get(REQUESTS).json == {"requests": [asked.json]}
    answered = manager.post(f"{REQUESTS}/{asked.json['id']}/approve", {"expiresAt": END, "comment": "for now"})
    assert answered.json["state"] == "approved"
    assert manager.get(REQUESTS).json == {"requests": [answered.json]}
    assert [one.to_document() for one in exceptions_of(tenants)] == [WISH | {"author": "ann", "expiresAt": END}]
    assert events_of(manager) == ["exception.approved", "exception.requested", "settings.changed"]
    (event,) = manager.get("/api/v1/orgs/acme/audit", query="event=exception.approved").json["events"]
    assert {key: event[key] for key in ("by", "request", "package", "comment", "expiresAt")} == {
        "by": "ann",
        "request": asked.json["id"],
        "package": "left-pad",
        "comment": "for now",
        "expiresAt": END,
    }


def test_session_asks_and_denies(tenants):
    """A denied request leaves the settings as they are."""
    manager = tenants.manager()
    asked = manager.post(REQUESTS, WISH).json
    assert (asked["requestedBy"], asked["tokenId"]) == ("ann", "")
    denied = manager.post(f"{REQUESTS}/{asked['id']}/deny", {"comment": "use another"}).json
    assert (denied["state"], denied["comment"], denied["answeredBy"]) == ("denied", "use another", "ann")
    assert exceptions_of(tenants) == []
    assert events_of(manager) == ["exception.denied", "exception.requested"]


def test_asking_and_answering_again_changes_nothing(tenants, token):
    """The same wish is the same request, and the same answer is no second exception."""
    manager = tenants.manager()
    asked = token.post(REQUESTS, WISH).json
    assert token.post(REQUESTS, WISH | {"reason": "please"}).json == asked
    for _ in range(2):
        assert manager.post(f"{REQUESTS}/{asked['id']}/approve", {"expiresAt": END}).status == 200
    assert len(exceptions_of(tenants)) == 1
    assert len(events_of(manager)) == 3
    denied = manager.post(f"{REQUESTS}/{asked['id']}/deny", {})
    assert (denied.status, denied.code) == (409, "request-answered")


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", ""), ("POST", "/0123456789abcdef/approve"), ("POST", "/0123456789abcdef/deny")]
)
def test_token_answers_nothing(token, verb, path):
    """API tokens can ask, and neither see nor answer what others asked."""
    assert token.ask(verb, f"{REQUESTS}{path}", json={}).status == 401


@pytest.mark.parametrize(
    ("org", "grants", "status", "code"),
    [
        pytest.param("acme", ["publish"], 403, "missing-scope", id="publish only"),
        pytest.param("beta", ["proxy"], 401, "invalid-token", id="of another organization"),
    ],
)
def test_other_tokens_ask_nothing(tenants, org, grants, status, code):
    """A token needs the scope proxy, and asks for its own organization alone."""
    answer = tenants.client(org, *grants).post(REQUESTS, WISH)
    assert (answer.status, answer.code) == (status, code)


def test_token_does_not_tell_which_organizations_there_are(token):
    """An organization that there is not looks like one that the token is not of."""
    answers = [token.post(f"/api/v1/orgs/{org}/exceptions/requests", WISH) for org in ("beta", "gamma", "no slug!")]
    assert [(answer.status, answer.code) for answer in answers] == [(401, "invalid-token")] * 3


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, {"package", "reason"}, id="empty"),
        pytest.param(WISH | {"rules": ["malwear"]}, {"rules"}, id="unknown rule"),
        pytest.param(WISH | {"versions": ["latest"]}, {"versions"}, id="tag"),
        pytest.param(WISH | {"author": "root"}, {"author"}, id="author"),
        pytest.param(WISH | {"expiresAt": END}, {"expiresAt"}, id="end, which is for the answer"),
    ],
)
def test_invalid_request_is_refused_field_by_field(token, body, fields):
    """With a sentence for each."""
    answer = token.post(REQUESTS, body)
    assert (answer.status, set(answer.json["fields"])) == (400, fields)


@pytest.mark.parametrize(
    ("answer", "body", "fields"),
    [
        pytest.param("approve", {}, {"expiresAt"}, id="no end"),
        pytest.param("approve", {"expiresAt": "2020-01-01T00:00:00Z"}, {"expiresAt"}, id="past"),
        pytest.param("approve", {"expiresAt": END, "author": "x"}, {"author"}, id="author"),
        pytest.param("deny", {"comment": 5}, {"comment"}, id="number for a comment"),
    ],
)
def test_invalid_answer_is_refused(tenants, token, answer, body, fields):
    """And the request stays open."""
    manager = tenants.manager()
    asked = token.post(REQUESTS, WISH).json
    refused = manager.post(f"{REQUESTS}/{asked['id']}/{answer}", body)
    assert (refused.status, set(refused.json["fields"])) == (400, fields)
    assert manager.get(REQUESTS).json == {"requests": [asked]}


def test_unknown_request_is_not_found(tenants):
    """404 with a sentence."""
    answer = tenants.manager().post(f"{REQUESTS}/0123456789abcdef/deny", {})
    assert (answer.status, answer.code) == (404, "unknown-request")


def test_body_of_a_request_is_small(token):
    """What a token sends is kept, so it is bounded long before the reason is."""
    assert token.post(REQUESTS, WISH | {"versions": ["1.0.0 " * 2000]}).status == 413


def test_full_settings_take_no_more_exceptions(tenants, token):
    """The request stays open until there is room."""
    one = {"package": "x", "reason": "r", "expiresAt": END}
    manager = tenants.manager()
    manager.put("/api/v1/orgs/acme/settings", {"exceptions": [one] * 1000})
    asked = token.post(REQUESTS, WISH).json
    refused = manager.post(f"{REQUESTS}/{asked['id']}/approve", {"expiresAt": END})
    assert (refused.status, refused.code) == (409, "too-many-exceptions")
    assert manager.get(REQUESTS).json["requests"][0]["state"] == "requested"


def test_requests_of_organizations_are_apart(tenants, token):
    """Another organization sees and answers its own."""
    asked = token.post(REQUESTS, WISH).json
    manager = tenants.manager()
    assert manager.get("/api/v1/orgs/beta/exceptions/requests").json == {"requests": []}
    path = f"/api/v1/orgs/beta/exceptions/requests/{asked['id']}/approve"
    assert manager.post(path, {"expiresAt": END}).status == 404
    assert Settings().exceptions == tenants.platform.organization("beta").settings.get().exceptions
