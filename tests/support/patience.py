"""The product's patience, lengthened: a test must not fail because the machine is busy."""

from __future__ import annotations

import pytest

_PACKAGES, _MIDDLEWARE = "nproxy_mw.packages", "nproxy_mw.middleware"
_LIMITS = (
    "nproxy_mw.accounts.administrators.PATIENCE",
    "nproxy_mw.ledger.seen.FIRST_PATIENCE",
    "nproxy_mw.ledger.seen.LOCK_SECONDS",
    "nproxy_mw.ledger.seen.PATIENCE",
    "nproxy_mw.storage.indexes.files.BUSY_SECONDS",
    "nproxy_mw.storage.indexes.files._LOCK_SECONDS",
    "nproxy_mw.storage.local._LOCK_TIMEOUT",
    f"{_PACKAGES}.search.index.FIRST_PATIENCE",
    f"{_PACKAGES}.search.index.PATIENCE",
    f"{_PACKAGES}.store.LOCK_SECONDS",
    f"{_MIDDLEWARE}.dashboard.comparison.MAX_SECONDS",
    f"{_MIDDLEWARE}.dashboard.pages.rules.SECONDS",
    f"{_MIDDLEWARE}.management.incident.SECONDS",
)
"""After so many seconds an answer is given up on, or is not whole."""

SECONDS = 120.0


def lengthen(patch: pytest.MonkeyPatch) -> None:
    """Sets all of them to `SECONDS`. A test of what happens when one has passed sets its own."""
    for limit in _LIMITS:
        patch.setattr(limit, SECONDS)
