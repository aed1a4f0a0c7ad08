"""Every page: who may see it, that it shows nothing of others, and how much it weighs."""

from __future__ import annotations

import pytest
from support.browser import HOME, Browser, signed_in
from support.filled import PATHS, fill
from support.hosting import PASSWORD, PlatformFixture
from support.publications import publish
from support.registry import ACTOR

from nproxy_mw.errors import BadRequest
from nproxy_mw.middleware.tenants import ByHost

FOR_ADMINISTRATORS = (
    "tokens",
    "tokens/revoke-all",
    "rules",
    "exceptions",
    "settings",
    "packages/@acme/utils/-/unpublish",
)


@pytest.fixture(scope="module")
def filled() -> PlatformFixture:
    """A platform with something on every page."""
    return fill(PlatformFixture())


@pytest.fixture(scope="module")
def admin(filled: PlatformFixture) -> Browser:
    """A platform administrator's browser."""
    return signed_in(filled)


@pytest.fixture(scope="module")
def reader(filled: PlatformFixture) -> Browser:
    """The browser of a reader of acme."""
    return signed_in(filled, "eve")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_there_for_an_administrator(admin: Browser, path: str) -> None:
    """Each has one heading of the first level, a title, and less than 60 kB."""
    page = admin.get(HOME + path)
    assert page.status == (404 if path == "/nothing" else 200)
    assert sum(tag == "h1" for tag, _ in page.tags) == 1
    assert len(page.body) <= 60_000


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_there_without_a_session(filled: PlatformFixture, path: str) -> None:
    """A stranger is sent to the sign-in, or asked for an API token where the rules are explained."""
    page = Browser(filled.app).get(HOME + path)
    assert page.status == {"/nothing": 404, "/orgs/acme/explain": 200}.get(path, 303)
    assert b"utils" not in page.body


@pytest.mark.parametrize("path", PATHS)
def test_a_reader_sees_packages_and_the_trail_and_nothing_else(reader: Browser, path: str) -> None:
    """What is for administrators is a 403 with a sentence; another organization does not exist for them."""
    segments = path.removeprefix("/orgs/acme/")
    if path.startswith(("/people", "/orgs/beta", "/nothing")):
        expected = 404 if path != "/people" and not path.startswith("/people/") else 403
    else:
        expected = 403 if segments in FOR_ADMINISTRATORS else 200
    page = reader.get(HOME + path)
    assert (path, page.status) == (path, expected)
    if expected == 403:
        assert "ask" in page.text


@pytest.mark.parametrize(
    "path",
    ["tokens", "tokens/0123/revoke", "settings", "keys", "rules", "exceptions", "packages/@acme/utils/-/tag"],
)
def test_a_reader_changes_nothing(reader: Browser, path: str) -> None:
    """The form of a page that they do not see is refused, whatever is in it."""
    token = dict(reader.get(f"{HOME}/orgs/acme/audit").form("verify").fields)["form_token"]
    assert reader.post(f"{HOME}/orgs/acme/{path}", f"form_token={token}&confirm=acme".encode()).status == 403


def test_pages_of_another_organization_do_not_exist(filled: PlatformFixture) -> None:
    """An administrator of beta gets the same for acme, which exists, as for one that does not."""
    filled.administrators.create("bob", PASSWORD, organizations=["beta"], actor=ACTOR)
    bob = signed_in(filled, "bob")
    for path in ("overview", "packages", "packages/@acme/utils", "audit", "tokens", "audit/export?format=csv"):
        there, nowhere = (bob.get(f"{HOME}/orgs/{org}/{path}") for org in ("acme", "gamma"))
        assert there.status == nowhere.status == 404
        assert there.body == nowhere.body
    assert "acme" not in bob.follow(f"{HOME}/").text
    assert "acme" not in bob.get(f"{HOME}/orgs").text


def test_the_cookie_of_one_is_not_good_for_the_pages_of_another(filled: PlatformFixture, reader: Browser) -> None:
    """A session is of one person: with it, another organization's page stays a 404."""
    assert reader.get(f"{HOME}/orgs/beta/packages").status == 404


def test_a_demoted_administrator_loses_the_pages_at_once(filled: PlatformFixture) -> None:
    """The next request of a session that goes on has the new role."""
    filled.administrators.create("dora", PASSWORD, actor=ACTOR)
    dora = signed_in(filled, "dora")
    assert dora.get(f"{HOME}/people").status == 200
    filled.administrators.set_access("dora", role="reader", organizations=["acme"], actor=ACTOR)
    assert dora.get(f"{HOME}/people").status == 403
    assert dora.get(f"{HOME}/orgs/beta/packages").status == 404


def test_pages_work_below_a_path_and_at_the_apex() -> None:
    """Links, forms and cookies have the path below which clients reach the server."""
    tenants = PlatformFixture(public_url="https://apps.example/npm")
    browser = Browser(tenants.app)
    page = browser.get(f"{HOME}/sign-in")
    assert page.form("sign-in").action == "/npm/-/dashboard/sign-in"
    assert all(link.startswith("/npm/-/dashboard/") for link in page.links if link.startswith("/"))


def test_at_the_hosts_of_organizations_there_are_no_pages() -> None:
    """A script that runs at an organization's host cannot ask for a page; a browser at its root is sent to the apex."""
    tenants = PlatformFixture(resolve=ByHost("registry.example"))
    tenants.scopes("acme", "@acme")
    apex = signed_in(tenants, host="registry.example:8080")
    assert apex.get(f"{HOME}/orgs/acme/packages").status == 200
    own = Browser(tenants.app, host="acme.registry.example:8080", cookies=dict(apex.cookies))
    assert own.get(f"{HOME}/orgs/acme/packages").status == 404
    assert own.get("/").headers["location"] == "http://registry.example:8080/-/dashboard/"
    assert Browser(tenants.app, host="evil.example").get(f"{HOME}/orgs").status == 404


ODD = [None, True, 7, 1.5, "text", [], ["x", 1, None], {}, {"url": 1, "name": ["x"], "x": {"y": "z"}}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_documents_have_pages(odd: object) -> None:
    """Whatever type a member has that npm does not check, the pages of the package are there."""
    tenants = PlatformFixture()
    tenants.scopes("acme", "@acme")
    organization = tenants.platform.organization("acme")
    members = ("description", "license", "homepage", "bugs", "repository", "author", "keywords", "engines", "bin")
    shaped = {**dict.fromkeys((*members, "peerDependencies", "devDependencies", "files", "deprecated"), odd)}
    for version in ("1.0.0", "1.0.1"):
        try:
            publish(organization, "@acme/odd", version, package_json=shaped, manifest={"readme": odd})
        except BadRequest:
            publish(organization, "@acme/odd", version, package_json={key: shaped[key] for key in members[:5]})
    browser = signed_in(tenants)
    for path in ("packages", "packages/@acme/odd", "packages/@acme/odd/1.0.1", "packages/@acme/odd/-/changes/1.0.1"):
        assert browser.get(f"{HOME}/orgs/acme/{path}").status == 200


def test_many_organizations_are_listed_in_pages(tenants: PlatformFixture, ann: Browser) -> None:
    """The page of a platform with hundreds of them stays small."""
    for number in range(60):
        tenants.platform.organizations.create(f"team-{number:02}", actor=ACTOR)
    first = ann.get(f"{HOME}/orgs")
    second = ann.get(f"{HOME}/orgs?page=2")
    assert "1–50 of" in first.text
    assert "team-59" in second.text
    assert "team-59" not in first.text
