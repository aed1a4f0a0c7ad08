"""The signing keys of one organization: made when first needed, rotated, and never shown.

One object holds all of them. The newest pair (Ed25519 and P-256) signs; older ones stay listed with ``expires``, and
what was published before that time stays valid. A private key is dropped when it is rotated out. With a `Seal`, the
private keys are stored sealed, together with the list of public ones and the organization they belong to: without the
seal, nobody who writes to the storage can add a key or put another organization's in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit.audited import AuditedObject, Step
from nproxy_mw.audit.events import AuditedChange, Fact
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Conflict, Missing
from nproxy_mw.json_values import Json
from nproxy_mw.orgs import key_ring
from nproxy_mw.orgs.key_ring import KeyPair, KeyRing
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.signing import ED25519, Signer, public_record
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import KEYS
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

OVERLAP = timedelta(hours=1)
"""How long the old keys stay valid after a rotation: a publish that had begun, on any host, ends well within."""

_UNKNOWN = Actor()


class KeyStore:
    """The keys on *storage*, the organization's own. If *seal* is None, private keys are stored unsealed."""

    def __init__(self, storage: Storage, *, trail: Trail, seal: Seal | None = None, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.trail = trail
        self.clock = clock
        self._seal = seal
        self._rings = RevisionCache(storage, self._decode)

    def signers(self, *, actor: Actor = _UNKNOWN) -> tuple[Signer, ...]:
        """Returns the pair that signs now. It is created on first use; *actor* is recorded as the creator.

        Raises:
            StorageUnavailable: the keys cannot be read or opened.
        """
        try:
            return self._rings.get(KEYS.key()).opened()
        except Missing:
            self._change(self._created, actor)
            return self._rings.get(KEYS.key()).opened()

    def rotate(self, *, actor: Actor, unseal: bool = False) -> tuple[Signer, ...]:
        """Makes a new pair and returns it. The old keys expire after `OVERLAP`, and their private parts are dropped.

        The old private keys are not needed for it: this is also the way out when a seal key was lost, or is new.
        *unseal* allows unsealed keys to follow sealed ones.

        Raises:
            Conflict: the keys are sealed, there is no seal, and *unseal* is not given.
            StorageUnavailable: the keys cannot be read or written.
        """
        self._change(partial(self._rotated, unseal=unseal), actor)
        return self._rings.get(KEYS.key()).opened()

    def public_keys(self) -> list[dict[str, Any]]:
        """Returns every key that ever signed, newest first, as ``/-/npm/v1/keys`` lists them.

        There are none before the first publish.

        Raises:
            StorageUnavailable: there is a seal, and the list is not the one that was sealed.
        """
        try:
            return self._rings.get(KEYS.key()).listed()
        except Missing:
            return []

    def checkpoint_signer(self, *, actor: Actor = _UNKNOWN) -> Signer:
        """Returns the Ed25519 key that signs now. Raises as `signers` does."""
        return next(signer for signer in self.signers(actor=actor) if signer.algorithm == ED25519)

    def check(self) -> None:
        """Opens the stored keys, if there are any, so that a start notices what is wrong and not the first publish.

        Raises:
            StorageUnavailable: they cannot be read or opened.
        """
        try:
            self._rings.get(KEYS.key()).opened()
        except Missing:
            return

    def _change(self, step: Step, actor: Actor) -> None:
        AuditedObject(self.storage, KEYS.key(), self.trail).change(step, actor)

    def _created(self, stored: Json | None, now: datetime) -> AuditedChange[Json | None]:
        return AuditedChange(None) if stored is not None else self._rotated(None, now)

    def _rotated(self, stored: Json | None, now: datetime, *, unseal: bool = False) -> AuditedChange[Json | None]:
        """A new pair in front of the old keys."""
        from nproxy_mw.signing.keys import Ed25519Signer, P256Signer  # when keys are made

        ring = self._open(stored) if stored else KeyRing(())
        if ring.is_sealed and self._seal is None and not unseal:
            raise Conflict(
                "The signing keys are sealed: set NPROXY_SEAL_KEY. To store the new ones unsealed, run 'nproxy-mw keys "
                "rotate --unseal'.",
                code="keys-sealed",
            )
        pair = (Ed25519Signer(), P256Signer())
        expires = timestamp(now + OVERLAP)
        new = [public_record(signer.algorithm, signer.public) for signer in pair]
        keys = [*new, *({**key, "expires": key["expires"] or expires} for key in ring.keys)]
        private = key_ring.private_document(self.trail.org, keys, pair, self._seal)
        return AuditedChange({"keys": keys, "private": private}, _facts(ring.keys, pair))

    def _decode(self, data: bytes) -> KeyRing:
        return self._open(documents.decode(data))

    def _open(self, document: Json) -> KeyRing:
        return key_ring.open_ring(self.trail.org, document, self._seal)


def _facts(old: Sequence[Json], pair: KeyPair) -> list[Fact]:
    rotated = [key["keyid"] for key in old if key["expires"] is None]
    return [
        *([("key.rotated", {"keyIds": rotated})] if rotated else []),
        *(("key.created", {"keyId": signer.key_id, "algorithm": signer.algorithm}) for signer in pair),
    ]
