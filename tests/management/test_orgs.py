"""Organizations by the management API, the embedding host's own users, and what is no call at all."""

from __future__ import annotations

import pytest
from support.client import Client
from support.hosting import PlatformFixture
from support.registry import publish

from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.management import User
from nproxy_mw.middleware.tenants import ByHost, ByPath, FixedOrg
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.testing.documents import publish_document

ORGS = "/api/v1/orgs"


def test_created_organization_is_served_at_once(tenants):
    """201, and its registry answers; a taken id is 409."""
    manager = tenants.manager()
    answer = manager.post(ORGS, {"id": "gamma", "name": "Gamma Ltd"})
    assert answer.status == 201
    assert set(answer.json) == {"id", "name", "createdAt"}
    assert tenants.stranger().get("/gamma/-/ping").status == 200
    assert manager.post(ORGS, {"id": "gamma"}).status == 409
    assert [org["id"] for org in manager.get(ORGS).json["orgs"]] == ["acme", "beta", "gamma"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param({}, {"id"}, id="nothing"),
        pytest.param({"id": "Acme Ltd"}, {"id"}, id="no slug"),
        pytest.param({"id": "api"}, {"id"}, id="kept for the server"),
        pytest.param({"id": "-", "name": ""}, {"id", "name"}, id="both"),
        pytest.param({"id": "x", "plan": "gold"}, {"plan"}, id="another field"),
    ],
)
def test_bad_organization_is_told_field_by_field(tenants, body, fields):
    """400 with a sentence per field."""
    answer = tenants.manager().post(ORGS, body)
    assert answer.status == 400
    assert set(answer.json["fields"]) == fields


@pytest.mark.parametrize("path", ["settings", "tokens", "audit", "packages", "packages/@acme/x"])
def test_unknown_organization_is_404(tenants, path):
    """One that is not there, one that cannot be, and the server's own."""
    for org in ("gamma", "system", "Acme%00", ".."):
        answer = tenants.manager().get(f"{ORGS}/{org}/{path}")
        assert (answer.status, answer.code) == (404, "organization-not-found")


def test_packages_are_listed_and_shown(tenants):
    """Internal packages, by name, in pages; one with all its versions."""
    tenants.scopes("acme", "@acme")
    client = tenants.client("acme", SCRIPT_NAME="")
    for name in ("@acme/one", "@acme/three", "@acme/two"):
        assert client.put(f"/acme/{name.replace('/', '%2f')}", document(name)).status == 201
    manager = tenants.manager()
    page = manager.get(f"{ORGS}/acme/packages", query="limit=2").json
    assert [package["name"] for package in page["packages"]] == ["@acme/one", "@acme/three"]
    rest = manager.get(f"{ORGS}/acme/packages", query=f"limit=2&after={page['next']}").json
    assert ([package["name"] for package in rest["packages"]], rest["next"]) == (["@acme/two"], None)
    for path in ("@acme/one", "@acme%2fone"):
        shown = manager.get(f"{ORGS}/acme/packages/{path}").json
        assert shown["latest"] == "1.0.0"
        assert [version["version"] for version in shown["versions"]] == ["1.0.0"]
        assert shown["versions"][0]["publishedBy"] == "bob"
    assert manager.get(f"{ORGS}/acme/packages/@acme/four").code == "package-not-found"
    empty = {"packages": [], "next": None, "total": 0, "isComplete": True}
    assert manager.get(f"{ORGS}/beta/packages").json == empty


def test_audit_is_paged_and_filtered(tenants):
    """Newest first; a cursor leads on; by kind and by package."""
    tenants.scopes("acme", "@acme")
    tenants.client("acme").put("/acme/@acme%2fone", document("@acme/one"))
    manager, audit = tenants.manager(), f"{ORGS}/acme/audit"
    everything = [event["event"] for event in manager.get(audit).json["events"]]
    assert {"organization.created", "settings.changed", "package.published"} <= set(everything)
    walked, cursor = [], ""
    while cursor is not None:
        page = manager.get(audit, query=f"limit=1{f'&after={cursor}' if cursor else ''}").json
        walked += [event["event"] for event in page["events"]]
        cursor = page["next"]
    assert walked == everything
    (event,) = manager.get(audit, query="event=package.published&package=%40acme%2Fone").json["events"]
    assert event["package"] == "@acme/one"
    by = manager.get(audit, query=f"by={event['by']}").json["events"]
    assert {each["by"] for each in by} == {event["by"]}
    later = manager.get(audit, query=f"from={event['time']}").json["events"]
    earlier = manager.get(audit, query=f"to={event['time']}").json["events"]
    assert [each["id"] for each in later + earlier] == [each["id"] for each in manager.get(audit).json["events"]]
    assert all(each["time"] < event["time"] for each in earlier)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("limit=0", "limit", id="none"),
        pytest.param("limit=201", "limit", id="too many"),
        pytest.param("limit=x", "limit", id="no number"),
        pytest.param("after=x", "after", id="no cursor"),
        pytest.param(f"after=99991231T000000.000Z-{'0' * 32}", "after", id="a cursor of the far future"),
        pytest.param("since=1", "since", id="another parameter"),
        pytest.param("from=yesterday", "from", id="no time"),
        pytest.param("to=2026-11-26T12:00:00", "to", id="no zone"),
        pytest.param("limit=1&limit=2", "limit", id="twice"),
        pytest.param("&".join(f"x{n}=1" for n in range(21)), None, id="very many"),
        pytest.param("event=%ff", None, id="no text"),
    ],
)
def test_bad_query_is_told_field_by_field(tenants, query, field):
    """A parameter that will not do is named."""
    answer = tenants.manager().get(f"{ORGS}/acme/audit", query=query)
    assert answer.status == 400
    assert set(answer.json.get("fields", [None])) == {field}


def test_cursor_of_packages_is_a_name(tenants):
    """Anything else is said to be none."""
    answer = tenants.manager().get(f"{ORGS}/acme/packages", query="after=..")
    assert (answer.status, answer.code) == (400, "invalid-cursor")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", f"{ORGS}/acme/settings", "GET, HEAD, PUT"),
        ("OPTIONS", ORGS, "GET, HEAD, POST"),
        ("GET", "/api/v1/sessions", "POST, DELETE"),
        ("GET", f"{ORGS}/acme/tokens/x", "DELETE"),
        ("POST", "/api/v1/openapi.json", "GET, HEAD"),
    ],
)
def test_other_verbs_are_405(tenants, method, path, allow):
    """405 names what is offered, to everybody."""
    answer = tenants.stranger().ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    "path",
    ["/api/v1", "/api/v1/", "/api/v1/x", f"{ORGS}/", f"{ORGS}/acme", f"{ORGS}/acme/x", f"{ORGS}/acme/tokens/a/b"],
)
def test_other_paths_are_404(tenants, path):
    """The rest of /api/v1 is nothing, whatever lies below."""
    assert tenants.manager().get(path).code == "route-not-found"


def test_head_is_a_get_without_a_body(tenants):
    """HEAD is answered wherever GET is."""
    assert tenants.manager().head(f"{ORGS}/acme/settings").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 201, id="no browser"),
        pytest.param({"SEC_FETCH_SITE": "same-origin", "ORIGIN": "http://registry.example"}, 201, id="own page"),
        pytest.param({"ORIGIN": "http://registry.example"}, 201, id="own page of an older browser"),
        pytest.param({"SEC_FETCH_SITE": "cross-site"}, 403, id="another site"),
        pytest.param({"SEC_FETCH_SITE": "same-site"}, 403, id="a sibling host"),
        pytest.param({"ORIGIN": "http://evil.example"}, 403, id="another origin"),
        pytest.param({"ORIGIN": "http://registry.example.evil.example"}, 403, id="a longer origin"),
        pytest.param({"ORIGIN": "null"}, 403, id="no origin"),
        pytest.param({"ORIGIN": "http://[x"}, 403, id="a broken origin"),
    ],
)
def test_page_of_another_site_may_not_change_anything(headers, status):
    """Also where the host's own login rides on cookies, nothing is changed for a page of another site."""
    tenants = PlatformFixture(users=lambda environ: User("host"))
    assert Client(tenants.app, headers=headers).post(ORGS, {"id": "gamma"}).status == status


def test_host_application_brings_its_own_users():
    """A callable tells who is signed in, and which organizations are theirs; all others are not there."""
    tenants = PlatformFixture(
        users=lambda environ: User("carl", frozenset({"acme"})) if environ.get("HTTP_COOKIE") else None
    )
    carl = Client(tenants.app, headers={"COOKIE": "id=carl"})
    assert tenants.stranger().get(ORGS).status == 401
    assert [org["id"] for org in carl.get(ORGS).json["orgs"]] == ["acme"]
    assert carl.put(f"{ORGS}/acme/settings", {"publicReads": False}).status == 200
    assert carl.get(f"{ORGS}/beta/settings").json.keys() == carl.get(f"{ORGS}/gamma/settings").json.keys()
    assert carl.get(f"{ORGS}/beta/settings").code == "organization-not-found"
    assert carl.post(ORGS, {"id": "gamma"}).status == 403
    assert carl.post("/api/v1/sessions", {"username": "ann", "password": "x"}).code == "route-not-found"
    (event,) = carl.get(f"{ORGS}/acme/audit", query="event=settings.changed").json["events"]
    assert event["by"] == "carl"


def test_by_host_the_api_is_at_the_bare_domain_alone():
    """At an organization's host, /api/v1 is a path of its registry like any other."""
    tenants = PlatformFixture(resolve=ByHost("registry.example"))
    assert tenants.manager().get(ORGS).status == 200
    assert tenants.manager(HTTP_HOST="acme.registry.example").get(ORGS).code != "route-not-found"
    assert tenants.stranger(HTTP_HOST="acme.registry.example").get(ORGS).status == 404
    assert tenants.stranger(HTTP_HOST="other.example").get(ORGS).code == "registry-not-found"


def test_fixed_has_the_api_at_the_root():
    """A server for one organization has its registry and the API side by side."""
    tenants = PlatformFixture(resolve=FixedOrg("acme"))
    tenants.scopes("acme", "@acme")
    publish(tenants.client("acme"))
    assert len(tenants.manager().get(f"{ORGS}/acme/packages").json["packages"]) == 1
    assert tenants.client("acme").get("/api").code != "route-not-found"


def document(name):
    return publish_document(name, "1.0.0")


def test_without_users_there_is_no_api():
    """A platform that nobody manages by HTTP has none of it."""
    tenants = PlatformFixture()
    bare = Platform(Organizations(tenants.storage, ThreadLocks()), resolve=ByPath())
    assert Client(bare).get(ORGS).code == "registry-not-found"
    assert Client(bare).get("/acme/-/ping").status == 200
    assert Client(bare).post("/acme/-/v1/login", {}).status == 404
