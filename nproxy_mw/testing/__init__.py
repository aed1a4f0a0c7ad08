"""For tests of your own: doubles, documents and contracts. Only the contracts need pytest."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nproxy_mw.testing.intelligence import IntelligenceContract
    from nproxy_mw.testing.locks import LocksContract
    from nproxy_mw.testing.package_source import PackageSourceContract
    from nproxy_mw.testing.rules import RuleContract
    from nproxy_mw.testing.signer import SignerContract
    from nproxy_mw.testing.storage import StorageContract
    from nproxy_mw.testing.tokens import TokensContract
    from nproxy_mw.testing.transport import TransportContract
    from nproxy_mw.testing.users import AdministratorsContract, AuthenticatorContract

__all__ = [
    "AdministratorsContract",
    "AuthenticatorContract",
    "IntelligenceContract",
    "LocksContract",
    "PackageSourceContract",
    "RuleContract",
    "SignerContract",
    "StorageContract",
    "TokensContract",
    "TransportContract",
]

_CONTRACTS = {
    "AdministratorsContract": "users",
    "AuthenticatorContract": "users",
    "IntelligenceContract": "intelligence",
    "LocksContract": "locks",
    "PackageSourceContract": "package_source",
    "RuleContract": "rules",
    "SignerContract": "signer",
    "StorageContract": "storage",
    "TokensContract": "tokens",
    "TransportContract": "transport",
}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Before the modules are imported: their assertions then say what differed.
    modules = {f"{__name__}.{module}" for module in (*_CONTRACTS.values(), "storage_races")}
    import_module("pytest").register_assert_rewrite(*modules - sys.modules.keys())
    return getattr(import_module(f"{__name__}.{_CONTRACTS[name]}"), name)
