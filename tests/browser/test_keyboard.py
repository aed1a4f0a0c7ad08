"""The dashboard by the keyboard alone, in a browser without scripts: every stop of every page, and the forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from support import filled, filled_firewall
from support.hosting import PASSWORD

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

STOPS = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
)].filter(one => one.checkVisibility()).map((one, number) => one.dataset.stop = String(number))"""
"""Gives a number to everything that the keyboard must reach, and returns the numbers."""

SCROLLERS = 5
"""Stops more that a page may have: what scrolls in a README is one for Chromium, and has no link in it."""

HERE = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    return [one.dataset.stop ?? "", style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""


@pytest.mark.parametrize("width", [1440, 320])
def test_every_stop_is_reached_and_seen(opened: Callable[..., Page], url: str, width: int) -> None:
    """The Tab key comes by everything that can be used, in the order of the page, and a ring shows where it is."""
    page = opened("/orgs", java_script_enabled=False, viewport={"width": width, "height": 800})
    for path in (*filled.PATHS, *filled_firewall.PATHS):
        page.goto(url + path)
        stops = page.evaluate(STOPS)
        reached: list[str] = []
        for _ in range(len(stops) + SCROLLERS):
            page.keyboard.press("Tab")
            number, is_seen = page.evaluate(HERE)
            assert is_seen, (path, number)
            reached += [number] if number else []
            if reached == stops:
                break
        assert reached == stops, path


def press_through(page: Page, *typed: str) -> None:
    """Types into one field after the other, from the one that has the focus; then presses Enter."""
    for number, text in enumerate(typed):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("path", "first", "typed", "says"),
    [
        pytest.param("/orgs", "Id", ["gamma", "Gamma"], "The organization is created.", id="an organization"),
        pytest.param("/orgs/acme/settings", "Requests per minute", ["600"], "The settings are saved.", id="settings"),
        pytest.param("/orgs/acme/keys", "Write acme to go on", ["acme"], "There are new keys.", id="new keys"),
        pytest.param("/people/eve", "New password", [PASSWORD + "!"], "The account is changed.", id="an account"),
        pytest.param("/people/eve", "Write eve to go on", ["eve"], "The account is removed", id="no account"),
        pytest.param(
            "/account", "Present password", [PASSWORD, PASSWORD + "!"], "Sign in with the new one", id="a password"
        ),
        pytest.param(
            "/orgs/acme/tokens/revoke-all", "Write acme to go on", ["acme"], "All tokens are revoked.", id="all tokens"
        ),
        pytest.param(
            "/orgs/acme/packages/@acme/utils/-/unpublish",
            "Write @acme/utils",
            ["@acme/utils"],
            "The package is unpublished.",
            id="unpublish",
        ),
        pytest.param("/orgs/acme/audit?event=", "By", ["tests"], "token.created", id="a filter"),
    ],
)
def test_a_form_is_filled_and_sent_by_keys(
    without_scripts: Callable[[str], Page], path: str, first: str, typed: list[str], says: str
) -> None:
    """Text is typed, Tab goes on, Enter sends; the page that follows says what was done."""
    page = without_scripts(path)
    page.get_by_label(first).first.focus()
    press_through(page, *typed)
    expect(page.get_by_text(says).locator("visible=true").first).to_be_visible()


@pytest.mark.parametrize(
    ("path", "button", "says"),
    [
        pytest.param("/orgs/acme/audit", "Verify now", "The audit trail is as it was written.", id="verify"),
        pytest.param("/orgs/acme/exceptions", "Approve", "The request is approved.", id="approve"),
        pytest.param("/orgs/acme/exceptions", "Deny", "The request is denied.", id="deny"),
        pytest.param("/orgs/acme/exceptions", "Remove", "The exception is removed.", id="remove"),
        pytest.param("/account", "End all others", "Your other sessions have ended.", id="other sessions"),
        pytest.param("/people/eve", "End all sessions", "All sessions of the account have ended.", id="their sessions"),
        pytest.param("/orgs/acme/packages/@acme/utils", "Remove", "The tag is removed.", id="untag"),
        pytest.param("/orgs", "Sign out", "You are signed out.", id="sign out"),
    ],
)
def test_a_button_is_pressed_by_a_key(
    without_scripts: Callable[[str], Page], path: str, button: str, says: str
) -> None:
    """The space bar is enough."""
    page = without_scripts(path)
    page.get_by_role("button", name=button).first.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text(says).first).to_be_visible()


def test_what_stands_in_a_fold_is_reached(without_scripts: Callable[[str], Page]) -> None:
    """A fold is opened by Enter; a tag is set and a version deprecated in it."""
    utils = "/orgs/acme/packages/@acme/utils"
    for first, typed, says in (("Tag", ["beta"], "The tag is set."), ("Message", ["use 2"], "The message is set.")):
        page = without_scripts(utils)
        page.get_by_text("Change tags, deprecate, unpublish").focus()
        page.keyboard.press("Enter")
        page.get_by_label(first, exact=True).focus()
        press_through(page, *typed)
        expect(page.get_by_text(says).first).to_be_visible()
