"""A platform with two organizations, and a browser that is signed in to its dashboard."""

from __future__ import annotations

import pytest
from support.browser import Browser, signed_in
from support.hosting import PlatformFixture


@pytest.fixture
def tenants() -> PlatformFixture:
    """The platform."""
    return PlatformFixture()


@pytest.fixture
def ann(tenants: PlatformFixture) -> Browser:
    """The browser of a platform administrator."""
    return signed_in(tenants)
