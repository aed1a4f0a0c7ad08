"""Signing keys as a stored document: the public list, and the private part, sealed or not. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.signing import ED25519, P256, Signer
from nproxy_mw.storage import documents

if TYPE_CHECKING:
    from nproxy_mw.signing.keys import Ed25519Signer, P256Signer

KeyPair: TypeAlias = "tuple[Ed25519Signer, P256Signer]"

_NO_SEAL = "The signing keys are sealed: set NPROXY_SEAL_KEY to the key they were sealed with."
_WRONG_SEAL = (
    "The signing keys cannot be opened: NPROXY_SEAL_KEY is not the key they were sealed with, or they were altered in "
    "the storage."
)
_UNSEALED = (
    "The signing keys are stored unsealed although NPROXY_SEAL_KEY is set: "
    "make sealed ones with 'nproxy-mw keys rotate'."
)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """An organization's keys as they were read.

    *obstacle* says why there are no signers. *is_altered*: even the public list cannot be trusted. *is_sealed*: the
    stored private part is sealed.
    """

    keys: Sequence[Json]
    signers: tuple[Signer, ...] = field(default=(), repr=False)
    obstacle: str = ""
    is_altered: bool = False
    is_sealed: bool = False

    def opened(self) -> tuple[Signer, ...]:
        """Returns the signers. Raises `StorageUnavailable` when there are none."""
        if self.obstacle:
            raise _unreadable(self.obstacle)
        return self.signers

    def listed(self) -> list[dict[str, Any]]:
        """Returns the public keys. Raises `StorageUnavailable` when they are not those that were sealed."""
        if self.is_altered:
            raise _unreadable(self.obstacle)
        return [dict(key) for key in self.keys]


def private_document(org: str, keys: Sequence[Json], pair: KeyPair, seal: Seal | None) -> dict[str, Any]:
    """Returns the private part as it is stored, bound to *org* and the public *keys*; sealed when there is a seal."""
    private = {signer.algorithm: base64.b64encode(signer.private()).decode() for signer in pair}
    secret = orjson.dumps({"org": org, "keys": keys, "private": private})
    return {"sealed": seal is not None, "data": base64.b64encode(seal.seal(secret) if seal else secret).decode()}


def open_ring(org: str, document: Json, seal: Seal | None) -> KeyRing:
    """Returns the keys of a stored *document*. A private part that cannot be opened is the ring's *obstacle*.

    Raises:
        UnreadableObject: the document is damaged.
    """
    try:
        keys, private = document["keys"], document["private"]
        sealed, data = private["sealed"], base64.b64decode(private["data"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error
    if sealed and seal is None:
        return KeyRing(keys, obstacle=_NO_SEAL, is_sealed=True)
    if not sealed and seal is not None:
        return KeyRing(keys, obstacle=_UNSEALED, is_altered=True)
    try:
        return KeyRing(keys, _signers(org, keys, seal.unseal(data) if seal else data), is_sealed=sealed)
    except (KeyError, TypeError, ValueError):
        # Without the cause: it may quote what was opened.
        if seal is None:
            raise documents.damaged() from None
        return KeyRing(keys, obstacle=_WRONG_SEAL, is_altered=True, is_sealed=True)


def _signers(org: str, keys: Sequence[Json], secret: bytes) -> tuple[Signer, ...]:
    """The signers of an opened private part, if it belongs to this organization and these keys. Raises `ValueError`."""
    from nproxy_mw.signing.keys import Ed25519Signer, P256Signer  # when there are keys

    opened = orjson.loads(secret)
    if opened["org"] != org or opened["keys"] != keys:
        raise ValueError("of another organization, or of other keys")
    private = {algorithm: base64.b64decode(text, validate=True) for algorithm, text in opened["private"].items()}
    pair = (Ed25519Signer(private[ED25519]), P256Signer(private[P256]))
    if [signer.key_id for signer in pair] != [key["keyid"] for key in keys[:2]]:
        raise ValueError("not the private keys of these")
    return pair


def _unreadable(obstacle: str) -> StorageUnavailable:
    return StorageUnavailable(obstacle, code="keys-unreadable", retry_after=60)
