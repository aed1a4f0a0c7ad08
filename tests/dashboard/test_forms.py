"""What every page and every form has in common."""

from __future__ import annotations

import pytest
from support.browser import Browser
from support.hosting import PlatformFixture

HOME = "/-/dashboard"


def test_a_form_without_its_token_is_refused(tenants: PlatformFixture, ann: Browser) -> None:
    """A form is good only with the hidden value of its own session."""
    page = ann.get(f"{HOME}/orgs/acme/tokens")
    for how in ({"without": "form_token"}, {"form_token": "0" * 64}, {"form_token": "ä"}):
        answer = ann.send(page, "/tokens", name="ci", scopes="proxy", **how)
        assert (answer.status, "The form had expired" in answer.text) == (403, True)
    assert tenants.platform.organization("acme").tokens.list() == []


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
    ],
    ids=["another site", "a sibling host", "another origin", "an opaque origin"],
)
def test_a_form_from_elsewhere_is_refused(tenants: PlatformFixture, ann: Browser, environ: dict[str, str]) -> None:
    """What a browser says of a form's origin counts, the right hidden value or not."""
    page = ann.get(f"{HOME}/orgs/acme/tokens")
    assert ann.send(page, "/tokens", name="ci", scopes="proxy", environ=environ).status == 403
    assert tenants.platform.organization("acme").tokens.list() == []


def test_the_token_of_another_session_is_refused(tenants: PlatformFixture, ann: Browser) -> None:
    """The hidden value belongs to one session: that of an earlier or another one opens nothing."""
    page = ann.get(f"{HOME}/orgs/acme/tokens")
    other = Browser(tenants.app, cookies={"nproxy_session": (tenants.session(), HOME)})
    assert other.send(page, "/tokens", name="ci", scopes="proxy").status == 403


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_read(ann: Browser, kind: str) -> None:
    """Another content type is refused before it is parsed."""
    answer = ann.post(f"{HOME}/orgs/acme/tokens", b"name=x", environ={"CONTENT_TYPE": kind})
    assert (answer.status, "not what the form sends" in answer.text) == (400, True)


def test_a_form_is_bounded(ann: Browser) -> None:
    """Bytes and fields have limits."""
    assert ann.post(f"{HOME}/orgs/acme/tokens", b"name=" + b"x" * 300_000).status == 413
    assert ann.post(f"{HOME}/orgs/acme/tokens", b"&".join(b"a=1" for _ in range(1000))).status == 400


def test_every_page_has_the_headers_that_guard_it(ann: Browser) -> None:
    """No script, style or image but the dashboard's own; no frame around it; nothing guessed, nothing kept."""
    for path in ("/sign-in", "/orgs", "/orgs/acme/tokens", "/nothing"):
        headers = ann.get(HOME + path).headers if path != "/sign-in" else Browser(ann.app).get(HOME + path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


def test_assets_are_kept_and_open_to_all(tenants: PlatformFixture) -> None:
    """The style sheet and the script have their digest in the name, so browsers need not ask again."""
    stranger = Browser(tenants.app)
    page = stranger.follow(f"{HOME}/")
    paths = [attributes.get("href") or attributes["src"] for tag, attributes in page.tags if tag in ("link", "script")]
    assert len(paths) == 3
    for path in paths:
        answer = stranger.get(path)
        assert (answer.status, "immutable" in answer.headers["cache-control"]) == (200, True)


def test_the_own_script_is_small(ann: Browser) -> None:
    """The pages need none; what there is has less than 15 kB."""
    script = next(attributes["src"] for tag, attributes in ann.get(f"{HOME}/orgs").tags if tag == "script")
    assert len(ann.get(script).body) < 15_000


def test_a_path_that_is_no_page_says_so(ann: Browser) -> None:
    """A 404 and a 405 are pages too."""
    assert "There is no such page." in ann.get(f"{HOME}/nothing").text
    answer = ann.ask("POST", f"{HOME}/orgs/acme/keys-of-heaven")
    assert answer.status == 404
    assert ann.ask("DELETE", f"{HOME}/orgs").headers["allow"] == "GET, HEAD, POST"


def test_a_browser_at_the_root_is_sent_here(tenants: PlatformFixture) -> None:
    """npm and other programs, which do not ask for HTML, get what they got before."""
    browser = Browser(tenants.app)
    assert browser.get("/").headers["location"] == f"{HOME}/"
    assert browser.get("/", HTTP_ACCEPT="*/*").status == 404
