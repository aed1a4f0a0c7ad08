"""A platform in memory: two organisations, an administrator with cheap hashes, clients of every kind."""

from __future__ import annotations

import pytest
from town import Town


@pytest.fixture
def town():
    """By path: /acme and /beta."""
    return Town()
