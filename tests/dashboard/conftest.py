"""A platform with two organizations, and a browser that is signed in to its dashboard."""

from __future__ import annotations

import pytest
from support.browser import Browser, signed_in
from support.hosting import PASSWORD, PlatformFixture
from support.registry import ACTOR

from nproxy_mw.testing.upstream import RecordingUpstream


@pytest.fixture
def tenants() -> PlatformFixture:
    """The platform."""
    return PlatformFixture()


@pytest.fixture
def ann(tenants: PlatformFixture) -> Browser:
    """The browser of a platform administrator."""
    return signed_in(tenants)


@pytest.fixture
def town(upstream: RecordingUpstream) -> PlatformFixture:
    """Two organizations over the *upstream* of the test; @acme is internal to one of them, which has a reader."""
    town = PlatformFixture(upstream=upstream.url)
    town.scopes("acme", "@acme")
    town.administrators.create("eve", PASSWORD, role="reader", organizations=["acme"], actor=ACTOR)
    return town


@pytest.fixture
def browser(town: PlatformFixture) -> Browser:
    """A platform administrator's."""
    return signed_in(town)
