"""A platform in memory: two organizations, an administrator with cheap hashes, clients of every kind."""

from __future__ import annotations

import pytest
from support.hosting import PlatformFixture


@pytest.fixture
def tenants():
    """By path: /acme and /beta."""
    return PlatformFixture()
