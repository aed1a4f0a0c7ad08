"""The page that a refusal links to: who reads it without a session, and what a token opens there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from dashboard.test_hostile import check
from support.browser import HOME, Browser, Seen, signed_in
from support.dated import upstream_with_a_young_version
from support.hosting import PASSWORD, PlatformFixture
from support.payloads import PAYLOADS
from support.registry import ACTOR

from nproxy_mw.middleware.tenants import ByHost
from nproxy_mw.restrictions import Restrictions, parse_addresses
from nproxy_mw.testing.upstream import RecordingUpstream

NOW = datetime.now(UTC)
EXPLAIN = f"{HOME}/orgs/acme/explain"
ASKED = f"{EXPLAIN}?package=axios&version=1.1.0"


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    """One package with an old version and one of this minute."""
    with upstream_with_a_young_version(NOW) as upstream:
        yield upstream


@pytest.fixture
def town(upstream: RecordingUpstream) -> PlatformFixture:
    """Two organizations over that upstream. Public packages of acme need a token."""
    town = PlatformFixture(upstream=upstream.url)
    town.scopes("acme", "@acme")
    town.platform.organization("acme").settings.change({"publicReads": False}, actor=ACTOR)
    return town


@pytest.fixture
def stranger(town: PlatformFixture) -> Browser:
    """A browser without a session."""
    return Browser(town.app)


def give(browser: Browser, token: str, at: str = ASKED, **fields: str) -> Seen:
    """Sends the form of the page with a token."""
    return browser.submit(browser.get(at), "/explain", token=token, **fields)


def test_a_stranger_is_asked_for_a_token(stranger: Browser, upstream: RecordingUpstream) -> None:
    """Nothing is told, and nothing asked of the upstream."""
    page = stranger.get(ASKED)
    assert page.status == 200
    assert "Sign in, or give an API token of this organization." in page.text
    assert "Verdict" not in page.text
    assert upstream.requests == []


def test_the_refused_token_opens_the_explanation(town: PlatformFixture, stranger: Browser) -> None:
    """For this one answer: no cookie is set, the token is not repeated, and nobody keeps the page."""
    token = town.token("acme", "proxy")
    page = give(stranger, token)
    assert page.status == 200
    assert "axios 1.1.0 Verdict held" in page.text
    assert "version_age block holds it" in page.text
    assert token not in page.body.decode()
    assert "set-cookie" not in page.headers
    assert page.headers["cache-control"] == "no-store"
    assert not [link for link in page.links if "/packages/" in link]
    assert "Verdict" not in stranger.get(ASKED).text
    assert stranger.get(f"{HOME}/orgs/acme/firewall").status == 303


@pytest.mark.parametrize(
    ("org", "grants", "how", "sentence"),
    [
        pytest.param("beta", ["proxy"], {}, "unknown, revoked or expired", id="of another organization"),
        pytest.param("acme", ["publish"], {}, "lacks the scope 'proxy'", id="without its scope"),
        pytest.param(
            "acme",
            ["proxy"],
            {"restrictions": Restrictions(addresses=parse_addresses(["10.0.0.0/8"]))},
            "may not be used from 192.0.2.9",
            id="of another address",
        ),
    ],
)
def test_other_tokens_open_nothing(
    town: PlatformFixture, stranger: Browser, org: str, grants: list[str], how: dict[str, Restrictions], sentence: str
) -> None:
    """The sentence says why."""
    page = give(stranger, town.token(org, *grants, **how))
    assert page.status == 403
    assert sentence in page.text
    assert "holds it" not in page.text


def test_a_revoked_token_opens_nothing(town: PlatformFixture, stranger: Browser) -> None:
    """At once."""
    token = town.token("acme", "proxy")
    tokens = town.platform.organization("acme").tokens
    tokens.revoke(tokens.list()[0].id, actor=ACTOR)
    assert give(stranger, token).status == 403


def test_an_organization_that_is_not_there_looks_like_one_that_is(stranger: Browser) -> None:
    """Before a token is given, and after a wrong one."""
    asked = {org: f"{HOME}/orgs/{org}/explain?package=axios" for org in ("acme", "gone")}
    pages = [[stranger.get(asked[org]), give(stranger, "nproxy_wrong", asked[org])] for org in asked]
    there, nowhere = [
        [(page.status, page.body.replace(org.encode(), b"")) for page in seen]
        for org, seen in zip(asked, pages, strict=True)
    ]
    assert there == nowhere


def test_guessing_is_slowed_down(town: PlatformFixture, stranger: Browser) -> None:
    """After some failures even the right token waits; from another address it does not."""
    token = town.token("acme", "proxy")
    statuses = [give(stranger, f"nproxy_guess{number}").status for number in range(7)]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    assert give(stranger, token).status == 429
    form = urlencode({"package": "axios", "version": "1.1.0", "token": token}).encode()
    elsewhere = stranger.post(EXPLAIN, form, {"REMOTE_ADDR": "198.51.100.7", "HTTP_SEC_FETCH_SITE": "same-origin"})
    assert elsewhere.status == 200


@pytest.mark.parametrize("path", [EXPLAIN, f"{EXPLAIN}/ask"])
def test_forms_of_other_sites_are_refused(town: PlatformFixture, stranger: Browser, path: str) -> None:
    """With the right token, too."""
    form = urlencode({"package": "axios", "version": "1.1.0", "reason": "x", "token": town.token("acme", "proxy")})
    assert stranger.post(path, form.encode(), {"HTTP_SEC_FETCH_SITE": "cross-site"}).status == 403


def test_internal_names_are_told_to_nobody_without_a_token(
    town: PlatformFixture, stranger: Browser, upstream: RecordingUpstream
) -> None:
    """As npm is told: a token first. With one, the page says that no rule is about it."""
    town.platform.organization("acme").settings.change({"publicReads": True}, actor=ACTOR)
    asked = f"{EXPLAIN}?package=@acme/utils"
    assert "give an API token" in stranger.get(asked).text
    assert "This package is internal" in give(stranger, town.token("acme", "proxy"), asked).text
    assert upstream.asked("acme") == []


def test_where_reads_are_public_the_explanation_is(town: PlatformFixture, stranger: Browser) -> None:
    """Whoever may install without a token may read without one why he cannot."""
    town.platform.organization("acme").settings.change({"publicReads": True}, actor=ACTOR)
    page = stranger.get(ASKED)
    assert "axios 1.1.0 Verdict held" in page.text
    assert not [link for link in page.links if "/packages/" in link]


def test_a_session_of_another_organization_is_none(town: PlatformFixture) -> None:
    """Its holder reads what a stranger reads, with the token of the organization."""
    town.administrators.create("bob", PASSWORD, organizations=["beta"], actor=ACTOR)
    bob = signed_in(town, "bob")
    assert "give an API token" in bob.get(ASKED).text
    assert "Verdict held" in give(bob, town.token("acme", "proxy")).text


def test_an_exception_is_asked_for_with_the_token(town: PlatformFixture, stranger: Browser) -> None:
    """For the version and the rule that holds it; the token is given once more."""
    token = town.token("acme", "proxy")
    page = give(stranger, token)
    without = stranger.submit(page, "/ask", reason="The shop needs it.", token="")
    assert without.status == 403
    done = stranger.submit(page, "/ask", reason="The shop needs it.", token=token)
    assert "Your request for axios 1.1.0 is with the administrators" in done.text
    (request,) = town.platform.organization("acme").exception_requests.list()
    assert (request.package, request.versions, request.rules) == ("axios", ("1.1.0",), ("version_age",))
    assert (request.reason, request.requested_by) == ("The shop needs it.", "bob")
    assert request.token_id == town.platform.organization("acme").tokens.list()[0].id


def test_an_exception_is_asked_for_with_a_session(town: PlatformFixture) -> None:
    """By a reader, too; a form without its hidden value asks for nothing."""
    town.administrators.create("eve", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    eve = signed_in(town, "eve")
    page = eve.get(ASKED)
    assert eve.submit(page, "/ask", without="form_token", reason="I want it.").status == 403
    assert eve.submit(page, "/ask", reason=" ").status == 400
    done = eve.submit(page, "/ask", reason="I want it.")
    assert "The request is with the administrators of the organization." in done.text
    (request,) = town.platform.organization("acme").exception_requests.list()
    assert (request.requested_by, request.token_id) == ("eve", "")


def test_a_browser_at_the_link_of_a_refusal_comes_here(town: PlatformFixture, stranger: Browser) -> None:
    """A program gets JSON there, as before."""
    refused = town.client("acme", "proxy").get("/acme/axios/1.1.0")
    link = refused.json["explain"].partition("://")[2].partition("/")[2]
    assert stranger.get(f"/{link}").headers["location"] == ASKED
    assert town.client("acme", "proxy").get(f"/{link}").json["verdict"] == "held"
    assert stranger.get("/acme/-/nproxy/explain").status == 404


def test_a_browser_at_the_host_of_an_organization_comes_to_the_apex(upstream: RecordingUpstream) -> None:
    """That is where the pages are."""
    town = PlatformFixture(resolve=ByHost("registry.example"), upstream=upstream.url)
    own = Browser(town.app, host="acme.registry.example:8080")
    asked = own.get("/-/nproxy/explain/@types%2fnode/1.0.0")
    assert asked.headers["location"] == (
        f"http://registry.example:8080{HOME}/orgs/acme/explain?package=%40types%2Fnode&version=1.0.0"
    )


def test_signing_in_leads_back_to_the_question(town: PlatformFixture, stranger: Browser) -> None:
    """With its package and version."""
    (link,) = [link for link in stranger.get(ASKED).links if "/sign-in" in link]
    page = stranger.get(link)
    back = stranger.submit(page, "sign-in", name=town.administrator, password=PASSWORD)
    assert "axios 1.1.0 Verdict held" in back.text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_forms_do_nothing(town: PlatformFixture, stranger: Browser, payload: str) -> None:
    """Whatever is typed comes back as text, or not at all."""
    check(stranger.get(f"{EXPLAIN}?package={quote(payload)}&version={quote(payload)}"))
    token = town.token("acme", "proxy")
    form = {"package": payload, "version": payload, "reason": payload, "rules": payload}
    for path, given in ((EXPLAIN, token), (f"{EXPLAIN}/ask", token), (EXPLAIN, payload)):
        check(stranger.post(path, urlencode({**form, "token": given}).encode()))
