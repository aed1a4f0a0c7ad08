"""The signing keys of one organization: made when first needed, rotated, and never shown.

One object holds all of them. The newest pair (Ed25519 and P-256) signs; older ones stay listed with ``expires``, and
what was published before that time stays valid. A private key is dropped when it is rotated out. With a `Seal` the
private keys are stored sealed, together with the list of public ones and the organization they belong to: whoever
writes to the storage without the seal can neither add a key nor put another organization's in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing
from nproxy_mw.json_values import Json
from nproxy_mw.orgs import key_ring
from nproxy_mw.orgs.key_ring import KeyRing, Pair
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.signing import ED25519, Ed25519Signer, P256Signer, Signer, public_record
from nproxy_mw.storage import documents
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

KEY = "keys.json"

OVERLAP = timedelta(hours=1)
"""How long after a rotation the old keys are still good: a publish that had begun, on any host, ends well within."""

NOBODY = Actor()


class KeyStore:
    """The keys on *storage*, the organization's own. If *seal* is None, private keys are stored as they are."""

    def __init__(self, storage: Storage, *, trail: Trail, seal: Seal | None = None, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.trail = trail
        self.clock = clock
        self._seal = seal
        self._remembered = RevisionCache(storage, self._decode)

    def signers(self, *, actor: Actor = NOBODY) -> tuple[Signer, ...]:
        """The pair that signs now, made when there is none: *actor* is then told of as who caused it.

        Raises:
            StorageUnavailable: the keys cannot be opened.
        """
        try:
            return self._remembered.get(KEY).opened()
        except Missing:
            self._change(actor, make=lambda document: document is None)
            return self._remembered.get(KEY).opened()

    def rotate(self, *, unseal: bool = False, actor: Actor) -> tuple[Signer, ...]:
        """Makes a new pair. The old keys get an expiry `OVERLAP` ahead, and their private parts are dropped.

        The old private keys are not needed for it: this is also the way out when a seal key was lost, or is new.
        *unseal* stores the new ones as they are, where sealed ones were; only without a seal.

        Raises:
            StorageUnavailable: the stored keys are sealed, and there is neither a seal nor *unseal*. New keys that are
                not sealed would stop every server that has the seal.
        """

        def make(document: Json | None) -> bool:
            if document is not None and self._seal is None and not unseal and key_ring.is_sealed(document):
                raise key_ring.unavailable(key_ring.WOULD_UNSEAL)
            return True

        self._change(actor, make=make)
        return self._remembered.get(KEY).opened()

    def public_keys(self) -> list[dict[str, Any]]:
        """Every key that ever signed, newest first, as ``/-/npm/v1/keys`` lists them; none before the first publish.

        Raises:
            StorageUnavailable: there is a seal, and the list is not the one that was sealed.
        """
        try:
            return self._remembered.get(KEY).listed()
        except Missing:
            return []

    def checkpoint_signer(self, *, actor: Actor = NOBODY) -> Signer:
        """The Ed25519 key that signs now. Raises as `signers` does."""
        return next(signer for signer in self.signers(actor=actor) if signer.algorithm == ED25519)

    def check(self) -> None:
        """Opens the stored keys, if there are any: so that a start finds out, and not the first publish.

        Raises:
            StorageUnavailable: they cannot be opened.
        """
        try:
            self._remembered.get(KEY).opened()
        except Missing:
            return

    def repair(self) -> bool:
        """Tells of keys that a crash left untold. Whether there were any."""
        document = documents.find(self.storage, KEY)
        return document is not None and bool(self.trail.settle(document["events"]))

    def _change(self, actor: Actor, *, make: Callable[[Json | None], bool]) -> None:
        """Writes a new pair in front of the old keys, if *make* says so of the document as it is; and tells of it."""
        told: list[Json] = []

        def step(document: dict[str, Any] | None) -> Json | None:
            told[:] = []
            if not make(document):
                return None
            if document is not None:
                self.trail.settle(document["events"])  # what is overwritten now must have been told
            old = document["keys"] if document else []
            pair = (Ed25519Signer(), P256Signer())
            told[:] = self._tell(actor, old, pair)
            return self._document(old, pair) | {"events": told}

        documents.change(self.storage, KEY, step)
        self._remembered.forget(KEY)
        self.trail.append(told)

    def _document(self, old: list[Json], pair: Pair) -> dict[str, Any]:
        expires = timestamp(self.clock() + OVERLAP)
        new = [public_record(signer.algorithm, signer.public) for signer in pair]
        keys = [*new, *({**key, "expires": key["expires"] or expires} for key in old)]
        return {"keys": keys, "private": key_ring.hide(self.trail.org, keys, pair, self._seal)}

    def _tell(self, actor: Actor, old: list[Json], pair: Pair) -> list[Json]:
        rotated = [key["keyid"] for key in old if key["expires"] is None]
        created = [{"keyId": signer.key_id, "algorithm": signer.algorithm} for signer in pair]
        return [
            *([self.trail.new("key.rotated", actor, keyIds=rotated)] if rotated else []),
            *(self.trail.new("key.created", actor, **fields) for fields in created),
        ]

    def _decode(self, data: bytes) -> KeyRing:
        return key_ring.open_ring(self.trail.org, documents.decode(data), self._seal)
