"""Signatures over published versions: what is signed, by which kinds of key, and where npm looks for it.

Each version is signed twice over ``name@version:integrity``. ECDSA P-256 goes to ``dist.signatures``, where npm and
pnpm verify it. Ed25519, the organization's own signature, goes to ``dist.nproxy.signatures``: npm verifies every entry
of ``dist.signatures`` as ECDSA with SHA-256, so an Ed25519 entry there would make ``npm audit signatures`` fail for the
whole tree.

The keys themselves are in `nproxy_mw.signing.keys`. It is imported by the functions that need one: PyNaCl and
cryptography are 57 modules, and a server that only installs needs none of them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, Protocol

from nproxy_mw.json_values import Json
from nproxy_mw.signing.names import ED25519, P256, key_id

__all__ = ["ED25519", "P256", "Signer", "fits", "key_id", "message", "public_record", "signatures", "verify"]


class Signer(Protocol):
    """A private key that signs, and its public key."""

    @property
    def algorithm(self) -> str:
        """`ED25519` or `P256`."""
        ...

    @property
    def key_id(self) -> str:
        """``SHA256:`` and the unpadded base64 of the SHA-256 of `public`."""
        ...

    @property
    def public(self) -> bytes:
        """The public key as DER SubjectPublicKeyInfo."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Returns the signature over *data*: 64 bytes for Ed25519, DER for P-256."""
        ...


def public_record(algorithm: str, public: bytes, expires: str | None = None) -> dict[str, str | None]:
    """Returns a public key as ``/-/npm/v1/keys`` lists it. What was published before the time *expires* stays valid."""
    return {
        "expires": expires,
        "keyid": key_id(public),
        "keytype": algorithm,
        "scheme": algorithm,
        "key": base64.b64encode(public).decode(),
    }


def message(name: str, version: str, integrity: str) -> bytes:
    """Returns what is signed of a version."""
    return f"{name}@{version}:{integrity}".encode()


def signatures(name: str, version: str, integrity: str, signers: Iterable[Signer]) -> dict[str, Any]:
    """Returns the fields of ``dist`` with the signatures of one version; each field exists, even if empty."""
    signed = message(name, version, integrity)
    entries: dict[str, list[dict[str, str]]] = {P256: [], ED25519: []}
    for signer in signers:
        signature = base64.b64encode(signer.sign(signed)).decode()
        entries[signer.algorithm].append({"keyid": signer.key_id, "sig": signature})
    return {"signatures": entries[P256], "nproxy": {"signatures": entries[ED25519]}}


def verify(record: Json, data: bytes, signature: bytes | str) -> bool:
    """Returns whether *signature* (bytes, or base64 as it is stored) over *data* is by the key of the public *record*.

    Also returns False for a malformed record or signature, and for a record whose key is not the one that its ``keyid``
    names. The caller checks whether the key had expired.
    """
    try:
        is_named = key_id(base64.b64decode(record["key"], validate=True)) == record["keyid"]
    except (KeyError, TypeError, ValueError):
        return False
    return is_named and fits(record, data, signature)


def fits(record: Json, data: bytes, signature: bytes | str) -> bool:
    """Returns what `verify` does, whatever the key is called: other registries name their keys in other ways."""
    from nproxy_mw.signing.keys import Mismatch, check

    try:
        public = base64.b64decode(record["key"], validate=True)
        raw = base64.b64decode(signature, validate=True) if isinstance(signature, str) else signature
        check(record["keytype"], public, data, raw)
    except (KeyError, TypeError, ValueError, Mismatch):
        return False
    return True
