"""Settings, as the product page says: in the dashboard, go to Settings and add your internal scopes."""

from __future__ import annotations

from support.browser import Browser
from support.client import Client
from support.hosting import PlatformFixture
from support.registry import ACTOR

from nproxy_mw.testing.documents import publish_document

HOME = "/-/dashboard/orgs/acme"


def test_a_scope_added_in_settings_is_effective_at_the_next_publish(tenants: PlatformFixture, ann: Browser) -> None:
    """Add a scope, create a token, publish with it: no restart, no other step."""
    page = ann.submit(ann.get(f"{HOME}/settings"), "/settings", internalScopes="@acme\n@acme-labs")
    assert (page.status, "The settings are saved." in page.text) == (200, True)
    made = ann.submit(ann.get(f"{HOME}/tokens"), "/tokens", name="ci", scopes=["proxy", "publish"])
    secret = next(word for word in made.text.split() if word.startswith("nproxy_") and len(word) > 20)
    document = publish_document("@acme-labs/x", "1.0.0")
    assert Client(tenants.app, secret).put("/acme/@acme-labs%2fx", document).status == 201


def test_what_is_wrong_stands_at_its_field(tenants: PlatformFixture, ann: Browser) -> None:
    """Nothing is changed, and what was typed is still there."""
    answer = ann.submit(ann.get(f"{HOME}/settings"), "/settings", internalScopes="acme @ok", ledgerDays="many")
    assert answer.status == 400
    assert "Entry 1: A scope is written like '@acme'" in answer.text
    assert "whole number from 1 to" in answer.text
    assert ("ledgerDays", "many") in answer.form("/settings").fields
    assert tenants.platform.organization("acme").settings.get().internal_scopes == ()


def test_an_unchanged_form_changes_nothing(tenants: PlatformFixture, ann: Browser) -> None:
    """Saving what is shown writes no event, whatever the settings are."""
    tenants.scopes("acme", "@acme")
    settings = tenants.platform.organization("acme").settings
    settings.change({"rateLimit": {"requestsPerMinute": 100}, "publicReads": False}, actor=ACTOR)
    before = settings.get()
    answer = ann.submit(ann.get(f"{HOME}/settings"), "/settings")
    assert "Nothing was changed." in answer.text
    assert settings.get() == before


def test_a_form_that_was_made_of_other_settings_overwrites_nothing(tenants: PlatformFixture, ann: Browser) -> None:
    """Two administrators who change at once: the second one sees what the first one did, and decides again."""
    page = ann.get(f"{HOME}/settings")
    tenants.scopes("acme", "@other")
    answer = ann.submit(page, "/settings", internalScopes="@acme")
    assert (answer.status, "Somebody else changed the settings meanwhile." in answer.text) == (409, True)
    assert tenants.platform.organization("acme").settings.get().internal_scopes == ("@other",)


def test_every_setting_can_be_changed(tenants: PlatformFixture, ann: Browser) -> None:
    """Boxes, choices, numbers and members of objects come back as the types that they are of."""
    page = ann.get(f"{HOME}/settings")
    ann.submit(
        page, "/settings", without="publicReads", versionUnpublish="1", rateLimit__publishesPerMinute="60",
        auditWithoutAdvisories="not-found", ledgerDays="30",
    )  # fmt: skip
    shown = tenants.platform.organization("acme").settings.get().to_document()
    assert shown["rateLimit"] == {"publishesPerMinute": 60}
    assert (shown["publicReads"], shown["versionUnpublish"], shown["ledgerDays"]) == (False, True, 30)
    assert shown["auditWithoutAdvisories"] == "not-found"
