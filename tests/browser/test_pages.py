"""Every page in Chromium: accessible in both schemes, at 320 pixels too, without scripts, by the keyboard."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect
from support import filled, filled_firewall
from support.hosting import PASSWORD, PlatformFixture
from support.payloads import PAYLOADS
from support.registry import ACTOR

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLORS = {"type": "rule", "values": ["color-contrast"]}
"""What alone depends on the scheme."""

WINDOWS: tuple[tuple[Literal["light", "dark"], int, object], ...] = (
    ("light", 1440, EVERYTHING),
    ("light", 320, EVERYTHING),
    ("dark", 320, COLORS),
    ("dark", 1440, COLORS),
)
"""Scheme, width, and what is asked of a page there."""

PICTURES = os.environ.get("NPROXY_TEST_PICTURES")
"""A folder for a picture of every page."""


def violations(page: Page) -> list[str]:
    """What axe-core finds on a page."""
    page.evaluate(AXE)
    return ran(page, EVERYTHING)


def ran(page: Page, rules: object) -> list[str]:
    """What axe-core, which is on the page, finds by *rules*."""
    found = page.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules)
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


def overflow(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def cut_tables(page: Page) -> list[str]:
    """The tables that are wider than their place."""
    cut = "tables => tables.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.ariaLabel)"
    return list(page.locator(".table").evaluate_all(cut))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("paths", [filled.PATHS, filled_firewall.PATHS], ids=["packages", "firewall"])
def test_every_page_is_accessible(opened: Callable[..., Page], url: str, paths: Sequence[str]) -> None:
    """axe-core finds nothing, no page scrolls sideways, and on a phone no table does: in both schemes and widths.

    A page is loaded once; then it is looked at in one window after the other.
    """
    page, wrong = opened("/orgs"), dict[str, Any]()
    for path in paths:
        page.goto(url + path)
        page.evaluate(AXE)
        for scheme, width, rules in WINDOWS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            found = ran(page, rules), overflow(page), cut_tables(page) if width == 320 else []
            if found != ([], 0, []):
                wrong[f"{path}, {scheme}, {width}"] = found
            if PICTURES:
                name = f"{re.sub('[^a-z0-9@.-]+', '_', path.strip('/'))}-{scheme}-{width}.png"
                page.screenshot(path=Path(PICTURES) / name, full_page=True)
    assert wrong == {}


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=["scripts", "no scripts"])
def test_the_menu_of_a_phone(opened: Callable[..., Page], java_script_enabled: bool) -> None:
    """The first screen has the page's own content; a key opens the menu, leads into it, and closes it."""
    page = opened(
        "/orgs/acme/overview", viewport={"width": 320, "height": 640}, java_script_enabled=java_script_enabled
    )
    menu, settings = page.get_by_role("button", name="Menu"), page.get_by_role("link", name="Settings")
    expect(settings).not_to_be_visible()
    assert page.get_by_role("heading", level=1).bounding_box()["y"] < 160  # type: ignore[index]
    menu.focus()
    page.keyboard.press("Enter")
    expect(settings).to_be_visible()
    if java_script_enabled:
        assert violations(page) == []
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Overview")).to_be_focused()
    page.keyboard.press("Escape")
    expect(settings).not_to_be_visible()
    menu.click()
    settings.click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_there_is_no_menu_where_there_is_room(opened: Callable[..., Page]) -> None:
    """The navigation is a column."""
    page = opened("/orgs/acme/overview")
    expect(page.get_by_role("link", name="Settings")).to_be_visible()
    expect(page.get_by_role("button", name="Menu")).not_to_be_visible()


def test_a_long_name_leaves_room_for_the_other_columns(opened: Callable[..., Page], tenants: PlatformFixture) -> None:
    """A token's name of 100 characters without a gap is broken, in the window of a desktop too."""
    tenants.platform.organization("acme").tokens.create("W" * 100, ["proxy"], actor=ACTOR)
    page = opened("/orgs/acme/tokens", viewport={"width": 1000, "height": 800})
    assert cut_tables(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_is_accessible(opened: Callable[..., Page], scheme: str) -> None:
    """Before and after a wrong password."""
    page = opened("/sign-in", signed_in=False, color_scheme=scheme)
    assert violations(page) == []
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("alert").inner_text() == "The name or the password is wrong."
    assert violations(page) == []


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=["scripts", "no scripts"])
def test_the_product_pages_words_work(
    opened: Callable[..., Page], tenants: PlatformFixture, java_script_enabled: bool
) -> None:
    """Sign in, add a scope in Settings, create a token under API tokens, revoke it: with and without scripts."""
    scope = f"@made-{'with' if java_script_enabled else 'without'}"
    page = opened("/orgs/acme/settings", signed_in=False, java_script_enabled=java_script_enabled)
    page.get_by_label("Name").fill(tenants.administrator)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    scopes = page.get_by_label("Internal scopes")
    scopes.fill(f"{scopes.input_value()}\n{scope}")
    page.get_by_role("button", name="Save settings").click()
    assert page.get_by_role("status").inner_text().startswith("The settings are saved.")
    assert scope in tenants.platform.organization("acme").settings.get().internal_scopes
    page.get_by_role("link", name="API tokens").click()
    page.get_by_label("Name").fill(scope)
    page.get_by_label("publish and unpublish").check()
    page.get_by_role("button", name="Create token").click()
    secret = page.get_by_label("The token").inner_text().strip()
    if java_script_enabled:
        assert violations(page) == []
    tokens = tenants.platform.organization("acme").tokens
    assert tokens.find(secret) is not None
    page.get_by_role("link", name="Back to API tokens").click()
    page.get_by_role("link", name=f"Revoke {scope}").click()
    page.get_by_role("button", name="Revoke token").click()
    assert page.get_by_role("status").inner_text().startswith("The token is revoked.")
    assert tokens.find(secret) is None
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=["scripts", "no scripts"])
def test_the_hour_of_an_incident(
    opened: Callable[..., Page], tenants: PlatformFixture, java_script_enabled: bool
) -> None:
    """A pasted list is found, blocked with a reason, and its tokens revoked: with and without scripts."""
    organization = tenants.platform.organization("acme")
    secret = tenants.token("acme", "proxy")
    token = organization.tokens.list()[0]
    package = f"left-pad-{java_script_enabled}".lower()
    organization.ledger.record(package, "1.0.0", token.id, "192.0.2.50")
    organization.ledger.flush()
    page = opened("/orgs/acme/incident", java_script_enabled=java_script_enabled)
    page.get_by_label("Packages, versions or advisories").fill(f"# hijacked\n{package}@^1.0.0\nnothing-else")
    page.get_by_role("button", name="Find installs").click()
    expect(page.get_by_text("1 fetch with 1 token from 1 address.")).to_be_visible()
    if java_script_enabled:
        assert violations(page) == []
    page.get_by_label("Reason").fill("Hijacked this morning.")
    page.get_by_role("button", name="Block now").click()
    expect(page.get_by_text("The versions are on the block list.")).to_be_visible()
    assert f"{package}@^1.0.0 # Hijacked this morning." in organization.settings.get().rules["blocklist"]["entries"]
    page.get_by_label("Packages, versions or advisories").fill(package)
    page.get_by_role("button", name="Find installs").click()
    page.get_by_role("button", name="Revoke the chosen tokens").click()
    if java_script_enabled:
        assert violations(page) == []
    page.get_by_role("button", name="Revoke 1 token").click()
    expect(page.get_by_text("The tokens are revoked.")).to_be_visible()
    assert organization.tokens.find(secret) is None


def test_rules_are_previewed_without_scripts(opened: Callable[..., Page], tenants: PlatformFixture) -> None:
    """What a change would do is shown, and saved when it is confirmed."""
    page = opened("/orgs/acme/rules", java_script_enabled=False)
    page.locator("[name='rules.install_scripts.mode']").select_option("block")
    page.get_by_role("button", name="Preview the change").click()
    expect(page.get_by_role("row", name="esbuild 0.25.1 warned held")).to_be_visible()
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "preview.png", full_page=True)
    page.get_by_role("button", name="Change it again").click()
    page.locator("[name='rules.install_scripts.mode']").select_option("warn")
    page.locator("[name='rules.score.mode']").select_option("off")
    page.get_by_role("button", name="Preview the change").click()
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_text("The rules are saved.")).to_be_visible()
    assert tenants.platform.organization("acme").settings.get().rules["score"]["mode"] == "off"


@pytest.mark.parametrize("java_script_enabled", [True, False], ids=["scripts", "no scripts"])
def test_a_refusal_is_read_with_its_token(
    opened: Callable[..., Page], tenants: PlatformFixture, java_script_enabled: bool
) -> None:
    """Without a session, by the keyboard: the token is pasted, the reason read, an exception asked for."""
    settings = tenants.platform.organization("acme").settings
    settings.change({"publicReads": False}, actor=ACTOR)
    page = opened(filled_firewall.HELD, signed_in=False, java_script_enabled=java_script_enabled)
    if java_script_enabled:
        assert violations(page) == []
    page.get_by_label("API token").focus()
    page.keyboard.type(tenants.token("acme", "proxy"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="axios 1.14.1")).to_be_visible()
    assert "nproxy_" not in page.url
    if java_script_enabled:
        assert violations(page) == []
    page.get_by_label("Why axios 1.14.1 is needed").fill("The shop needs it.")
    page.get_by_label("API token").last.fill(tenants.token("acme", "proxy"))
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("is with the administrators")
    settings.change({"publicReads": True}, actor=ACTOR)


def test_everything_is_reached_by_the_keyboard(opened: Callable[..., Page]) -> None:
    """The first key leads past the navigation; each stop can be seen."""
    page = opened("/orgs/acme/tokens")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "name"
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Copy the token now")).to_be_visible()
    page.keyboard.press("Tab")
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_hostile_text_runs_nowhere(opened: Callable[..., Page], url: str) -> None:
    """Nothing of it is run, asked for elsewhere, or said on the console, on any page."""
    page = opened("/orgs/acme/packages")
    paths = [f"packages/@acme/hostile-{number}" for number in range(len(PAYLOADS))]
    paths += [f"{path}/1.0.1" for path in paths[::8]]
    paths += [f"packages/@acme/hostile-{number}/-/changes/1.0.1" for number in range(0, len(PAYLOADS), 8)]
    for path in [*paths, "audit", "tokens", "exceptions", "packages?q=hostile"]:
        page.goto(f"{url}/orgs/acme/{path}")
        assert page.evaluate("window.pwned") is None, path
        assert page.evaluate("document.title").endswith("nproxy_mw"), path


def test_a_form_is_sent_once(opened: Callable[..., Page], tenants: PlatformFixture) -> None:
    """Two clicks on a button create one token."""
    page = opened("/orgs/acme/tokens")
    page.get_by_label("Name").fill("clicked twice")
    page.get_by_role("button", name="Create token").dblclick()
    expect(page.get_by_role("heading", name="Copy the token now")).to_be_visible()
    names = [token.name for token in tenants.platform.organization("acme").tokens.list()]
    assert names.count("clicked twice") == 1


def test_a_page_cannot_be_framed(opened: Callable[..., Page], url: str) -> None:
    """A frame around it stays empty, on this very host too."""
    page = opened("/orgs")
    headers = page.request.get(f"{url}/orgs").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


def test_the_way_back_after_signing_out_shows_nothing(opened: Callable[..., Page], tenants: PlatformFixture) -> None:
    """The browser's Back button does not bring back a page that a signed-out session saw."""
    page = opened("/orgs/acme/tokens", signed_in=False)
    page.get_by_label("Name").fill(tenants.administrator)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="API tokens")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.evaluate("history.back()")
    expect(page.get_by_text("You are signed out.")).not_to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
