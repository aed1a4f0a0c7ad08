"""A platform with two organizations, and a browser that is signed in to its dashboard."""

from __future__ import annotations

import pytest
from support.browser import Browser
from support.hosting import PASSWORD, PlatformFixture

HOME = "/-/dashboard"


def signed_in(tenants: PlatformFixture, name: str = "", **how: str) -> Browser:
    """A browser in which an administrator signed in by the form."""
    browser = Browser(tenants.app, **how)
    page = browser.follow(f"{HOME}/")
    browser.submit(page, "sign-in", name=name or tenants.administrator, password=PASSWORD)
    return browser


@pytest.fixture
def tenants() -> PlatformFixture:
    """The platform."""
    return PlatformFixture()


@pytest.fixture
def ann(tenants: PlatformFixture) -> Browser:
    """The browser of a platform administrator."""
    return signed_in(tenants)
