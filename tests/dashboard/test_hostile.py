"""Hostile text does nothing, wherever it comes from: packages, their tarballs, clients, people, URLs."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import quote, urljoin

import pytest
from support.browser import HOME, Browser, Seen, signed_in
from support.filled import fill_with
from support.hosting import PlatformFixture
from support.payloads import PAYLOADS

from nproxy_mw.access import Actor
from nproxy_mw.errors import BadRequest
from nproxy_mw.middleware.dashboard.readme import MAX_HTML, MAX_LINES, readme_html, shown_readme

TAGS = frozenset(
    {*("html", "head", "meta", "title", "link", "script", "body", "header", "span", "nav", "form", "input", "button")}
    | {*("a", "div", "ul", "ol", "li", "main", "p", "h1", "h2", "h3", "h4", "h5", "h6", "dl", "dt", "dd", "table")}
    | {*("thead", "tbody", "tr", "th", "td", "time", "code", "pre", "section", "fieldset", "legend", "label", "select")}
    | {*("option", "textarea", "details", "summary", "em", "strong", "small", "svg", "rect", "line", "br")}
    | {*("blockquote", "del", "s", "hr")}
)
ATTRIBUTES = frozenset(
    {*("lang", "charset", "name", "content", "rel", "href", "type", "src", "defer", "class", "id", "method", "action")}
    | {*("value", "for", "maxlength", "minlength", "required", "autocomplete", "autocapitalize", "spellcheck", "role")}
    | {*("aria-describedby", "aria-label", "aria-current", "aria-labelledby", "aria-invalid", "tabindex", "scope")}
    | {
        *(
            "datetime",
            "title",
            "checked",
            "selected",
            "rows",
            "inputmode",
            "open",
            "viewbox",
            "x",
            "y",
            "x1",
            "x2",
            "y1",
            "y2",
        )
    }
    | {
        *(
            "width",
            "height",
            "preserveaspectratio",
            "data-label",
            "start",
            "form",
            "formaction",
            "title",
            "popover",
            "popovertarget",
        )
    }
)
LINK = re.compile(r"(/-/dashboard(/[^\s]*)?|https?://[^\s]+|mailto:[^\s]+|#[\w-]+|\?[^\s]*)")


def check(page: Seen) -> None:
    """A page holds nothing but the elements, attributes and links that the templates and a README may have."""
    assert page.status < 500
    assert len(page.body) <= 60_000
    for tag, attributes in page.tags:
        assert tag in TAGS, tag
        assert attributes.keys() <= ATTRIBUTES, (tag, attributes)
        for name in ("href", "src", "action", "formaction"):
            assert LINK.fullmatch(attributes.get(name) or "#x"), (tag, attributes)
        if tag == "script":
            assert re.fullmatch(r"/-/dashboard/script\.[0-9a-f]{12}\.js", attributes["src"])
    for character in "\u202e\u2066\u200b\ufeff\x00":
        assert character not in page.body.decode()


@pytest.fixture(scope="module")
def reader() -> Browser:
    """Signed in where every payload stands in every place that takes it."""
    tenants = PlatformFixture()
    for number, payload in enumerate(PAYLOADS):
        fill_with(tenants, payload, number)
    return signed_in(tenants)


@pytest.mark.parametrize("number", range(len(PAYLOADS)), ids=PAYLOADS)
def test_hostile_packages_do_nothing(reader: Browser, number: int) -> None:
    """In a README, description, author, license, script, engine, file name, file, tag or deprecation."""
    name = f"@acme/hostile-{number}"
    for path in (f"packages/{name}", f"packages/{name}/1.0.1", f"packages/{name}/-/changes/1.0.1"):
        page = reader.get(f"{HOME}/orgs/acme/{path}")
        assert page.status == 200
        check(page)


@pytest.mark.parametrize("path", ["packages", "audit", "tokens", "exceptions", "overview", "settings", "rules"])
def test_hostile_names_and_reasons_do_nothing(reader: Browser, path: str) -> None:
    """The name of a token, a user agent, an address or a reason, on every page of the lists."""
    pages, following = 0, f"{HOME}/orgs/acme/{path}"
    while following and pages < 40:
        page = reader.get(following)
        check(page)
        onwards = [attributes["href"] for tag, attributes in page.tags if attributes.get("rel") == "next"]
        following, pages = (urljoin(following, onwards[0]) if onwards else ""), pages + 1
    assert not following


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_urls_and_forms_do_nothing(ann: Browser, payload: str) -> None:
    """What a URL or a form says comes back as text, or not at all."""
    quoted = quote(payload)
    for path in (
        f"/orgs/acme/packages?q={quoted}&page={quoted}",
        f"/orgs/acme/audit?event={quoted}&package={quoted}&after={quoted}",
        f"/orgs/acme/audit?by={quoted}&package={quoted}",
        f"/orgs/acme/audit?by={quoted}&from={quoted}&to={quoted}",
        f"/account?after={quoted}",
        f"/orgs/acme/packages/{quoted}",
        f"/orgs/{quoted}/packages",
        f"/orgs?notice={quoted}",
        f"/{quoted}",
    ):
        check(ann.get(HOME + path))
    page = ann.get(f"{HOME}/orgs/acme/settings")
    check(ann.submit(page, "/settings", internalScopes=payload, ledgerDays=payload, auditWithoutAdvisories=payload))
    check(ann.submit(ann.get(f"{HOME}/orgs"), "/orgs", id=payload, name=payload))
    check(ann.submit(ann.get(f"{HOME}/orgs"), "/orgs", id="named", name=payload))
    check(ann.submit(ann.get(f"{HOME}/people"), "/people", name=payload, password=payload, organizations=payload))
    check(
        ann.submit(
            ann.get(f"{HOME}/orgs/acme/exceptions"), "/exceptions", package=payload, reason=payload, versions=payload
        )
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_clients_and_restrictions_do_nothing(tenants: PlatformFixture, ann: Browser, payload: str) -> None:
    """The user agent of a session, on its owner's page and an administrator's; what a token is to be restricted to."""
    tenants.sessions.create(tenants.signed_in, actor=Actor(ip=payload[:64], user_agent=payload[:256]))
    check(ann.get(f"{HOME}/account"))
    check(ann.get(f"{HOME}/people/ann"))
    form = ann.get(f"{HOME}/orgs/acme/tokens")
    check(ann.submit(form, "/tokens", name=payload, scopes=["proxy"], packages=payload, addresses=payload))
    check(ann.get(f"{HOME}/account?page={quote(payload)}"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_requests_and_answers_do_nothing(tenants: PlatformFixture, ann: Browser, payload: str) -> None:
    """Why an exception is wanted, by whom, and what an administrator wrote to it."""
    page = f"{HOME}/orgs/acme/exceptions"
    requests = tenants.platform.organization("acme").exception_requests
    for answer in ("approve", "deny"):
        asked = {"package": "x", "reason": "x"}
        with suppress(BadRequest):
            requests.ask({"package": "x", "reason": payload}, actor=Actor(name=payload))
        made = requests.ask(asked, actor=Actor(name=payload, user_agent=payload))
        check(ann.get(page))
        check(ann.submit(ann.get(page), f"requests/{made.id}", answer=answer, comment=payload, lifetime="30"))
    check(ann.get(page))
    check(ann.get(f"{HOME}/orgs/acme/audit"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_sign_in_form_repeats_only_text(tenants: PlatformFixture, payload: str) -> None:
    """A stranger's name and way back come back as text."""
    browser = Browser(tenants.app)
    page = browser.get(f"{HOME}/sign-in?next={quote(payload)}")
    check(page)
    check(browser.submit(page, "sign-in", name=payload, password="wrong password"))


@pytest.mark.parametrize("depth", [100, 5000])
def test_a_nested_readme_takes_no_time_and_no_stack(depth: int) -> None:
    """Deep quotes, lists, brackets and emphasis are cut off, and raise nothing."""
    for text in (">" * depth, "[" * depth, "*a " * depth, "- " * depth, "`" * depth, "|" * depth + "\n" + "|-" * depth):
        assert "<script" not in readme_html(text)


@pytest.mark.parametrize(
    "text", ["|a" * 9000 + "\n" + "|-" * 9000, "`a` " * 8000, "- a\n" * 9000, "<" * 30_000, "x\n\n" * 9000]
)
def test_a_readme_that_grows_is_cut(text: str) -> None:
    """However much HTML a few characters make, it fits on a page, and the page says that it is a part."""
    html, is_cut = shown_readme(text)
    assert (len(html) <= MAX_HTML, is_cut) == (True, True)


def test_readme_of_very_many_lines_is_cut():
    """Rows of a table that fill a few kilobytes would take a second to read."""
    _, is_cut = shown_readme("a|b\n-|-\n" + "|\n" * MAX_LINES)
    assert is_cut


def test_a_readme_is_rendered() -> None:
    """Headings stand below that of their section; links lead to the web and say nothing of where they come from."""
    html, is_cut = shown_readme("# A\n\n**b** `c` [d](https://e.example)\n\n| f |\n|---|\n| g |\n")
    assert not is_cut
    assert "<h3>A</h3>" in html
    assert "<strong>b</strong> <code>c</code>" in html
    assert '<a href="https://e.example" rel="nofollow noopener noreferrer">d</a>' in html
    assert "<td>g</td>" in html
