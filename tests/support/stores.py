"""Stores for a test: what a check finds in one, and how one is tampered with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from nproxy_mw.upkeep.check import check

UTILS = "orgs/acme/packages/@acme/utils/record.json"


def found(store) -> list[str]:
    """Everything that a check finds, as sentences."""
    return [str(finding) for finding in check(store)]


def overwrite(store, key: str, data: bytes) -> None:
    """Replaces an object by *data*."""
    store.replace(key, data, store.read(key).revision)


def edit(store, key: str, change: Callable[[Any], object]) -> None:
    """Changes an object's JSON in place."""
    document = orjson.loads(store.read(key).data)
    change(document)
    overwrite(store, key, orjson.dumps(document))


def keys_of(store, part: str) -> list[str]:
    """All keys that contain *part*."""
    return sorted(key for key in store.list() if part in key)
