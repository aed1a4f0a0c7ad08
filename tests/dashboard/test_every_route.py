"""What holds for every path of the dashboard: each row of its table is tried, so a new one is, too."""

from __future__ import annotations

import re

import pytest
from support.browser import HOME, SAME_ORIGIN, Browser, Seen, signed_in
from support.filled import fill
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

from nproxy_mw.errors import Busy, StorageUnavailable
from nproxy_mw.middleware.dashboard.pages import ROUTES, audit
from nproxy_mw.middleware.dashboard.routes import Access

PARTS = {"package": "@acme/utils", "version": "1.1.0", "tag": "next", "id": "eve", "session": "0" * 16}
OFFERS = [
    pytest.param(method, route.path, offer.access, id=f"{method} {route.path}")
    for route in ROUTES.all
    for method, offer in route.offers.items()
]
CLOSED = [one for one in OFFERS if one.values[2] is not Access.PUBLIC]
OF_ORGANIZATIONS = [one for one in OFFERS if "{org}" in str(one.values[1])]
FORM = b"confirm=acme&name=x&form_token="
SENT = {**SAME_ORIGIN, "CONTENT_TYPE": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def filled() -> PlatformFixture:
    """A platform with something on every page, and an administrator of beta."""
    filled = fill(PlatformFixture())
    filled.administrators.create("bob", PASSWORD, organizations=["beta"], actor=ACTOR)
    return filled


@pytest.fixture(scope="module")
def bob(filled: PlatformFixture) -> Browser:
    """The browser of an administrator of beta."""
    return signed_in(filled, "bob")


@pytest.fixture(scope="module")
def admin(filled: PlatformFixture) -> Browser:
    """A platform administrator's browser."""
    return signed_in(filled)


@pytest.fixture
def state(filled: PlatformFixture) -> list[tuple[str, bytes]]:
    """Everything that is stored, but for what a look leaves behind."""
    return stored(filled)


def stored(filled: PlatformFixture) -> list[tuple[str, bytes]]:
    """The objects of the store: those of people and of organizations."""
    kept = ("orgs/", "administrators/", "organisations/")
    keys = [key for key in filled.storage.list() if key.startswith(kept) and "/upkeep/" not in key]
    return sorted((key, filled.storage.read(key).data) for key in keys)


def path_of(template: str, org: str = "acme") -> str:
    """The path with something in each of its parts."""
    return f"{HOME}/{template.format(org=org, **PARTS)}"


def ask(browser: Browser, method: str, path: str, body: bytes = FORM, environ: dict[str, str] = SENT) -> Seen:
    """Asks for a page, or sends a form."""
    return browser.get(path) if method == "GET" else browser.ask("POST", path, body, environ)


@pytest.mark.parametrize(("method", "template", "access"), CLOSED)
def test_nothing_opens_without_a_session(
    filled: PlatformFixture, state: list[tuple[str, bytes]], method: str, template: str, access: Access
) -> None:
    """A stranger is sent to the sign-in, and changes nothing."""
    answer = ask(Browser(filled.app), method, path_of(template))
    assert (answer.status, "sign-in" in answer.headers["location"]) == (303, True)
    assert stored(filled) == state


@pytest.mark.parametrize(("method", "template", "access"), OF_ORGANIZATIONS)
def test_another_organization_is_not_there(
    filled: PlatformFixture, bob: Browser, state: list[tuple[str, bytes]], method: str, template: str, access: Access
) -> None:
    """An administrator of beta gets the same for acme as for an organization that does not exist, by each method."""
    body = FORM + dict(bob.get(f"{HOME}/account").form("end-others").fields)["form_token"].encode()
    there, nowhere = (ask(bob, method, path_of(template, org), body) for org in ("acme", "gamma"))
    assert there.status == nowhere.status
    assert there.body.replace(b"acme", b"") == nowhere.body.replace(b"gamma", b"").replace(b"acme", b"")
    if access is not Access.PUBLIC:
        assert there.status == 404
    assert b"chunk" not in there.body
    assert stored(filled) == state


@pytest.mark.parametrize(("method", "template", "access"), [one for one in CLOSED if one.values[0] == "POST"])
@pytest.mark.parametrize(
    ("environ", "has_token"),
    [
        pytest.param({}, False, id="without its token"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "cross-site"}, True, id="from another site"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "same-site"}, True, id="from a sibling host"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "", "HTTP_ORIGIN": "https://evil.example"}, True, id="of another origin"),
        pytest.param({"HTTP_SEC_FETCH_SITE": "", "HTTP_ORIGIN": "null"}, True, id="from a sandbox"),
    ],
)
def test_no_form_is_taken_from_others(
    filled: PlatformFixture,
    admin: Browser,
    state: list[tuple[str, bytes]],
    method: str,
    template: str,
    access: Access,
    environ: dict[str, str],
    has_token: bool,
) -> None:
    """403, whoever is signed in, and nothing is changed."""
    token = dict(admin.get(f"{HOME}/account").form("end-others").fields)["form_token"].encode()
    answer = ask(admin, method, path_of(template), FORM + (token if has_token else b""), {**SENT, **environ})
    assert answer.status == 403
    assert stored(filled) == state


@pytest.mark.parametrize(("method", "template", "access"), [one for one in OFFERS if one.values[0] == "GET"])
def test_each_answer_is_for_this_site_and_this_moment(
    admin: Browser, method: str, template: str, access: Access
) -> None:
    """No frame, no cache, no other site, no guess of its type: pages, refusals, ways on and files."""
    answer = admin.get(path_of(template))
    assert answer.status in (200, 302, 303, 400, 404)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status in (302, 303):
        return
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    if "html" in answer.headers["content-type"]:
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
    else:
        assert answer.headers["content-disposition"].startswith("attachment; filename=")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("packages/@acme/nothing", 404, "It may have been removed meanwhile"),
        ("packages/.x", 400, "Go back, change what is wrong"),
        ("nothing", 404, "There is no such page."),
        ("audit/verify", 405, "changes are made by the forms"),
    ],
)
def test_a_refusal_says_where_to_go_on(admin: Browser, path: str, status: int, words: str) -> None:
    """With the navigation of the organization that it is about."""
    page = admin.get(f"{HOME}/orgs/acme/{path}")
    assert (page.status, words in page.text) == (status, True)
    assert "To the overview of acme" in page.text
    assert f"{HOME}/orgs/acme/tokens" in page.links


def test_a_refusal_shows_no_organization_of_others(bob: Browser) -> None:
    """The navigation is that of an organization which the visitor sees and which exists."""
    for org in ("acme", "gamma", "%61cme", "acme%00"):
        page = bob.get(f"{HOME}/orgs/{org}/nothing")
        assert (page.status, "To the dashboard" in page.text) == (404, True)
        assert not any("acme" in link for link in page.links)


@pytest.mark.parametrize("error", [Busy("It is busy."), StorageUnavailable("The storage is away.")])
def test_what_passes_has_an_id_for_the_log(admin: Browser, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """503 with the sentence, `Retry-After`, and the id under which the log has the rest."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(audit, "verified", fails)
    page = admin.submit(admin.get(f"{HOME}/orgs/acme/audit"), "audit/verify")
    assert (page.status, page.headers["retry-after"]) == (503, "1")
    assert str(error) in page.text
    assert re.search("the request's id [0-9a-f]{32}", page.text)


@pytest.mark.parametrize("form", ["sign-out", "account/sign-out"])
def test_what_ends_a_session_throws_pages_away(filled: PlatformFixture, form: str) -> None:
    """The browser is asked to forget what it kept, however one leaves."""
    filled.administrators.create("kim", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    try:
        kim = signed_in(filled, "kim")
        answer = kim.send(kim.get(f"{HOME}/account"), form)
        assert answer.headers["clear-site-data"] == '"cache"'
    finally:
        filled.administrators.remove("kim", actor=ACTOR)
