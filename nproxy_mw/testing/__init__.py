"""For tests of your own: doubles, documents and contracts. Only the contracts need pytest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nproxy_mw.testing.storage import StorageContract

__all__ = ["StorageContract"]

_CONTRACTS = {"StorageContract": "nproxy_mw.testing.storage"}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Before the modules are imported: their assertions then say what differed.
    import_module("pytest").register_assert_rewrite(*_CONTRACTS.values(), "nproxy_mw.testing.storage_races")
    return getattr(import_module(_CONTRACTS[name]), name)
