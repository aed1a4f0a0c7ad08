"""How signing keys are written down, and read again: the private part, sealed or not, and what it vouches for. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from nproxy_mw.errors import StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.signing import ED25519, P256, Ed25519Signer, P256Signer, Signer
from nproxy_mw.storage import documents

Pair: TypeAlias = tuple[Ed25519Signer, P256Signer]

NO_SEAL = "The signing keys are sealed: set NPROXY_SEAL_KEY to the key they were sealed with."
WOULD_UNSEAL = (
    "The signing keys are sealed, and new ones would not be: set NPROXY_SEAL_KEY, to another key where the old one is "
    "lost, or ask for unsealed keys with 'nproxy-mw keys rotate --unseal'."
)
WRONG_SEAL = (
    "The signing keys cannot be opened: NPROXY_SEAL_KEY is not the key they were sealed with, or they were altered in "
    "the storage."
)
UNSEALED = (
    "The signing keys are stored unsealed although NPROXY_SEAL_KEY is set: "
    "make sealed ones with 'nproxy-mw keys rotate'."
)


@dataclass(frozen=True, slots=True)
class KeyRing:
    """An organization's keys as read. *problem* says why there are no signers; *altered*, that even the list is not to
    be trusted.
    """

    keys: Sequence[Json]
    signers: tuple[Signer, ...] = field(default=(), repr=False)
    problem: str = ""
    altered: bool = False

    def opened(self) -> tuple[Signer, ...]:
        """The signers. Raises `StorageUnavailable` when there are none."""
        if self.problem:
            raise unavailable(self.problem)
        return self.signers

    def listed(self) -> list[dict[str, Any]]:
        """The public keys. Raises `StorageUnavailable` when they are not those that were sealed."""
        if self.altered:
            raise unavailable(self.problem)
        return [dict(key) for key in self.keys]


def hide(org: str, keys: Sequence[Json], pair: Pair, seal: Seal | None) -> dict[str, Any]:
    """Answers the private part as it is stored: sealed when there is a seal, bound to *org* and the public *keys*."""
    private = {signer.algorithm: base64.b64encode(signer.private()).decode() for signer in pair}
    secret = orjson.dumps({"org": org, "keys": keys, "private": private})
    return {"sealed": seal is not None, "data": base64.b64encode(seal.close(secret) if seal else secret).decode()}


def open_ring(org: str, document: Json, seal: Seal | None) -> KeyRing:
    """Answers the keys of a stored *document*. That the private part cannot be opened is told by the ring, not raised.

    Raises:
        StorageUnavailable: the document is damaged.
    """
    try:
        keys, private = document["keys"], document["private"]
        sealed, data = private["sealed"], base64.b64decode(private["data"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error
    if sealed != (seal is not None):
        return KeyRing(keys, problem=NO_SEAL if sealed else UNSEALED, altered=not sealed)
    try:
        return KeyRing(keys, _signers(org, keys, seal.open(data) if seal else data))
    except (KeyError, TypeError, ValueError):
        # Without the cause: it may quote what was opened.
        if seal is None:
            raise documents.damaged() from None
        return KeyRing(keys, problem=WRONG_SEAL, altered=True)


def _signers(org: str, keys: Sequence[Json], secret: bytes) -> tuple[Signer, ...]:
    """The signers of an opened private part, if it is of this organization and of these keys. Raises `ValueError`."""
    opened = orjson.loads(secret)
    if opened["org"] != org or opened["keys"] != keys:
        raise ValueError("of another organization, or of other keys")
    private = {algorithm: base64.b64decode(text, validate=True) for algorithm, text in opened["private"].items()}
    pair = (Ed25519Signer(private[ED25519]), P256Signer(private[P256]))
    if [signer.key_id for signer in pair] != [key["keyid"] for key in keys[:2]]:
        raise ValueError("not the private keys of these")
    return pair


def is_sealed(document: Json) -> bool:
    """Returns whether the private part of a stored *document* is sealed.

    Raises:
        StorageUnavailable: the document is damaged.
    """
    try:
        return bool(document["private"]["sealed"])
    except (KeyError, TypeError) as error:
        raise documents.damaged() from error


def unavailable(problem: str) -> StorageUnavailable:
    """Returns the error for keys that cannot be used; *problem* is its sentence."""
    return StorageUnavailable(problem, code="keys-unreadable", retry_after=60)
