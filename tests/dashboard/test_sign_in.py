"""Signing in to the dashboard, and out of it."""

from __future__ import annotations

import pytest
from support.browser import Browser
from support.hosting import PASSWORD, PlatformFixture

HOME = "/-/dashboard"


def test_without_a_session_a_page_leads_to_the_sign_in_and_back(tenants: PlatformFixture) -> None:
    """Who is not signed in is sent to the form, and after it to the page they wanted."""
    browser = Browser(tenants.app)
    page = browser.follow(f"{HOME}/orgs/acme/tokens")
    assert page.path == f"{HOME}/sign-in"
    page = browser.submit(page, "sign-in", name=tenants.administrator, password=PASSWORD)
    assert (page.status, page.path) == (200, f"{HOME}/orgs/acme/tokens")


def test_a_wrong_password_is_refused_in_the_form(tenants: PlatformFixture) -> None:
    """The sentence does not say which of the two was wrong, and the password does not come back."""
    browser = Browser(tenants.app)
    page = browser.submit(browser.follow(f"{HOME}/"), "sign-in", name=tenants.administrator, password="not this one")
    assert page.status == 403
    assert "The name or the password is wrong." in page.text
    assert b"not this one" not in page.body
    assert browser.get(f"{HOME}/orgs").status == 303


def test_guessing_is_slowed(tenants: PlatformFixture) -> None:
    """After some failures further attempts get a 429, the right password included."""
    browser = Browser(tenants.app)
    page = browser.follow(f"{HOME}/")
    statuses = [
        browser.submit(
            page, "sign-in", name=tenants.administrator, password=f"wrong {attempt}", guard=guard(browser)
        ).status
        for attempt in range(7)
    ]
    assert statuses[-1] == 429
    last = browser.submit(page, "sign-in", name=tenants.administrator, password=PASSWORD, guard=guard(browser))
    assert last.status == 429
    assert "try again in" in last.text


def guard(browser: Browser) -> str:
    """What the newest sign-in form hides."""
    return browser.cookies["nproxy_form"][0]


def test_a_session_that_somebody_planted_is_not_taken_over(tenants: PlatformFixture) -> None:
    """A sign-in makes a new secret, whatever the cookie held, and ends the session that was in it."""
    planted = tenants.session()
    browser = Browser(tenants.app)
    page = browser.follow(f"{HOME}/sign-in")
    browser.cookies["nproxy_session"] = (planted, HOME)
    browser.submit(page, "sign-in", name=tenants.administrator, password=PASSWORD)
    assert browser.cookies["nproxy_session"][0] != planted
    assert tenants.sessions.find(planted) is None


def test_signing_out_ends_the_session_everywhere(tenants: PlatformFixture, ann: Browser) -> None:
    """A copy of the cookie opens nothing afterwards, and browsers are asked to forget the pages they kept."""
    copy = Browser(tenants.app, cookies=dict(ann.cookies))
    answer = ann.send(ann.get(f"{HOME}/orgs"), "sign-out")
    assert answer.headers["clear-site-data"] == '"cache"'
    assert "nproxy_session" not in ann.cookies
    assert copy.get(f"{HOME}/orgs").status == 303


def test_pages_are_kept_nowhere(ann: Browser) -> None:
    """No page can come out of a cache, of the browser or of a proxy, after the session has ended."""
    assert ann.get(f"{HOME}/orgs").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("scheme", "public_url", "name", "parts"),
    [
        ("http", None, "nproxy_session", {"HttpOnly", "Path=/-/dashboard", "SameSite=Strict"}),
        ("https", None, "__Host-nproxy_session", {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}),
        ("http", "https://npm.example", "__Host-nproxy_session", {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}),
        ("http", "http://npm.example/x", "nproxy_session", {"HttpOnly", "Path=/x/-/dashboard", "SameSite=Strict"}),
    ],
    ids=["plain", "tls", "tls before the server", "below a path"],
)
def test_the_cookie_is_as_strict_as_it_can_be(scheme: str, public_url: str | None, name: str, parts: set[str]) -> None:
    """It goes only here, no script reads it, no other site sends it; over TLS no other host can set it."""
    tenants = PlatformFixture(public_url=public_url)
    browser = Browser(tenants.app, scheme=scheme)
    page = browser.get(f"{HOME}/sign-in")
    form = {"name": tenants.administrator, "password": PASSWORD}
    cookie, (value, _) = next(iter(browser.cookies.items()))
    answer = browser.post(
        f"{HOME}/sign-in",
        f"guard={value}&name={form['name']}&password={form['password'].replace(' ', '+')}".encode(),
        environ={"HTTP_COOKIE": f"{cookie}={value}", "HTTP_SEC_FETCH_SITE": "same-origin"},
    )
    pair, *attributes = [part.strip() for part in answer.headers["set-cookie"].split(";")]
    assert page.status == 200
    assert pair.startswith(f"{name}=session_")
    assert set(attributes) == parts


def test_two_cookies_of_one_name_are_none(tenants: PlatformFixture, ann: Browser) -> None:
    """A sibling host can add a cookie of our name without TLS. Which one is ours is not guessed."""
    session = ann.cookies["nproxy_session"][0]
    other = tenants.session()
    for text in (
        f"nproxy_session={session}; nproxy_session={other}",
        f"nproxy_session={other}; nproxy_session={session}",
    ):
        assert ann.get(f"{HOME}/orgs", HTTP_COOKIE=text).status == 303


def test_a_sibling_host_cannot_plant_a_session_over_tls(tenants: PlatformFixture) -> None:
    """Over TLS a cookie without the prefix, which siblings can set, opens nothing."""
    browser = Browser(tenants.app, scheme="https")
    assert browser.get(f"{HOME}/orgs", HTTP_COOKIE=f"nproxy_session={tenants.session()}").status == 303


def test_a_token_and_a_bearer_open_no_page(tenants: PlatformFixture) -> None:
    """Pages are opened by the cookie alone: neither an API token nor a session in a header does it."""
    browser = Browser(tenants.app)
    for secret in (tenants.token("acme"), tenants.session()):
        assert browser.get(f"{HOME}/orgs", HTTP_AUTHORIZATION=f"Bearer {secret}").status == 303
    assert browser.get(f"{HOME}/orgs", HTTP_COOKIE=f"nproxy_session={tenants.token('acme')}").status == 303


def test_the_cookie_opens_nothing_but_pages(tenants: PlatformFixture, ann: Browser) -> None:
    """The management API and the registry do not look at cookies."""
    session = ann.cookies["nproxy_session"][0]
    for path in ("/api/v1/orgs", "/acme/-/whoami"):
        assert ann.get(path, HTTP_COOKIE=f"nproxy_session={session}").status == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "../../api/v1/orgs",
        "orgs?x=1#y",
        "orgs?x=//evil.example",
        "orgs\r\nX: y",
        "a//b",
    ],
)
def test_the_way_back_leads_nowhere_else(tenants: PlatformFixture, wanted: str) -> None:
    """Where to go after the sign-in comes from a URL that anybody can write: only a path of the dashboard counts."""
    browser = Browser(tenants.app)
    page = browser.follow(f"{HOME}/sign-in")
    answer = browser.send(page, "sign-in", name=tenants.administrator, password=PASSWORD, next=wanted)
    assert answer.headers["location"] == f"{HOME}/"
