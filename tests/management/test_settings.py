"""The settings by the management API."""

import pytest
from support.client import Client
from support.hosting import PlatformFixture

from nproxy_mw.orgs.settings_fields import Settings

SETTINGS = "/api/v1/orgs/acme/settings"


def test_settings_change_as_the_product_page_shows(tenants):
    """curl's PUT changes what it names, answers everything, and holds for the next request of npm."""
    manager = tenants.manager(CONTENT_TYPE="application/json")
    answer = manager.put(SETTINGS, {"internalScopes": ["@acme"]})
    assert answer.status == 200
    assert answer.json["internalScopes"] == ["@acme"]
    assert answer.json["publicReads"] is True
    assert answer.headers["cache-control"] == "no-store"
    assert tenants.client("acme").get("/acme/@acme%2fx").code == "package-not-found"
    assert tenants.upstream.asked == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"exceptions": [{"bad": 1}] * 1000}, id="bad exceptions"),
        pytest.param({"internalScopes": ["x"] * 5000}, id="bad scopes"),
        pytest.param({"k" * 100_000: 1}, id="a long name"),
    ],
)
def test_answer_to_many_mistakes_is_short(tenants, body):
    """As many sentences as a person reads, however many a client provokes."""
    answer = tenants.manager().put(SETTINGS, body)
    assert answer.status == 400
    assert len(answer.body) < 20_000


@pytest.mark.parametrize("kind", [None, "", "application/x-www-form-urlencoded", "text/plain"])
def test_content_type_is_not_needed(tenants, kind):
    """curl -d without a header sends the type of forms: the body is JSON all the same."""
    answer = tenants.manager(CONTENT_TYPE=kind).put(SETTINGS, {"publicReads": False})
    assert answer.json["publicReads"] is False


def test_settings_are_shown_whole(tenants):
    """Everything has a value, whether it was changed or not."""
    shown = tenants.manager().get(SETTINGS).json
    assert shown == Settings().to_document() | {"warnings": []}


def test_settings_may_be_sent_back_as_they_were_shown(tenants):
    """With all members of an answer, `warnings` included, which is always empty."""
    manager = tenants.manager()
    answer = manager.put(SETTINGS, {"rateLimit": {"requestsPerMinute": 5}}).json
    assert answer["warnings"] == manager.get(SETTINGS).json["warnings"] == []
    assert manager.put(SETTINGS, answer).json == answer


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({"internalScopes": "acme"}, {"internalScopes"}, id="no list"),
        pytest.param({"internalScopes": ["acme"]}, {"internalScopes"}, id="no @"),
        pytest.param({"internalScopes": ["@a", "@a"]}, {"internalScopes"}, id="twice"),
        pytest.param({"internalScopes": ["@A B"]}, {"internalScopes"}, id="malformed"),
        pytest.param({"publicReads": 1, "colour": "red"}, {"publicReads", "colour"}, id="two fields"),
        pytest.param({"rules": {"score": {"threshold": 9}}}, {"rules.score.threshold"}, id="nested"),
    ],
)
def test_invalid_settings_are_refused_field_by_field(tenants, body, fields):
    """400 with a sentence per field, and nothing is changed."""
    manager = tenants.manager()
    before = manager.get(SETTINGS).json
    answer = manager.put(SETTINGS, {"versionUnpublish": True, **body})
    assert answer.status == 400
    assert set(answer.json["fields"]) == fields
    assert all(sentence.endswith(".") for sentence in answer.json["fields"].values())
    assert manager.get(SETTINGS).json == before


def test_refusal_of_many_fields_is_short(tenants):
    """A body of 100,000 settings that there are not is answered with a few kilobytes."""
    answer = tenants.manager().put(SETTINGS, {f"s{n}": n for n in range(100_000)})
    assert (answer.status, answer.code, len(answer.json["fields"])) == (400, "invalid-settings", 20)
    assert len(answer.body) < 16_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"{", 400, id="half"),
        pytest.param(b"[]", 400, id="a list"),
        pytest.param(b'{"publicReads": true, "publicReads": false}', 400, id="a key twice"),
        pytest.param(b'{"__proto__": {}}', 400, id="__proto__"),
        pytest.param(b"\xff\xfe", 400, id="no UTF-8"),
        pytest.param(b"[" * 200_000, 400, id="deep"),
        pytest.param(b" " * (2 * 2**20 + 1), 413, id="large"),
    ],
)
def test_bodies_are_parsed_strictly(tenants, body, status):
    """What is not one JSON object with one reading is refused."""
    assert tenants.manager().ask("PUT", SETTINGS, body=body).status == status


def test_change_is_told_with_its_author(tenants):
    """The audit trail tells who changed what, and from where."""
    manager = tenants.manager()
    manager.put(SETTINGS, {"publicReads": False})
    (event,) = manager.get("/api/v1/orgs/acme/audit", query="event=settings.changed").json["events"]
    assert (event["by"], event["ip"], event["new"]) == ("ann", "192.0.2.7", {"publicReads": False})


def test_change_holds_in_another_process(tenants):
    """A second platform on the same storage has it at its next request."""
    other = PlatformFixture(tenants.storage, orgs=())
    reader = Client(other.app)
    assert reader.get("/acme/lodash").code != "unauthenticated"
    tenants.manager().put(SETTINGS, {"publicReads": False})
    assert reader.get("/acme/lodash").status == 401
