"""Signed checkpoints: the heads of all chains at one time, so that nothing that was there can vanish unnoticed.

A chain shows by itself that its middle is whole, but not that its end is. A checkpoint states how long each chain was
and what its last hash was, signed with the organization's Ed25519 key, and holds the hash of the checkpoint before it.

Taking one reads every chain, so it is not done at a publish: ``nproxy-mw audit verify`` takes one when it found nothing
wrong. What happened after the newest checkpoint, and whether the newest checkpoints themselves were removed, only a
copy kept elsewhere can show: what `Checkpoints.newest` returns is small enough for a log or a mail.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nproxy_mw import signing
from nproxy_mw.audit import events
from nproxy_mw.audit.events import CheckFinding, NewerFinding
from nproxy_mw.errors import Exists, NproxyError
from nproxy_mw.json_values import Json
from nproxy_mw.signing import Signer
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import CHECKPOINT
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, timestamp, utc_now

_NEWER = "a newer version of nproxy-mw wrote this: verify it with that version"


@dataclass(frozen=True, slots=True)
class SeenHeads:
    """What sound checkpoints saw of the chains: for each name, the lengths and hashes that it must still show."""

    heads: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    def add(self, checkpoint: Json) -> None:
        """Adds what one checkpoint saw."""
        for name, seen in checkpoint["heads"].items():
            self.heads.setdefault(name, set()).add((seen["length"], seen["hash"]))

    def check(self, name: str, chain: Sequence[Any]) -> Iterator[CheckFinding]:
        """Yields where *chain* differs from what checkpoints saw of it; each chain is checked once."""
        for length, seen in sorted(self.heads.pop(name, set())):
            if len(chain) < length:
                yield CheckFinding(name, f"the end was cut off: a checkpoint saw {length} events, now {len(chain)}")
            elif events.head(chain[:length]) != seen:
                yield CheckFinding(name, "the chain was rewritten: a checkpoint saw another event here", length - 1)

    def missing(self) -> Iterator[CheckFinding]:
        """Yields the chains that were not checked, because they are gone."""
        for name in sorted(self.heads):
            yield CheckFinding(name, "the chain is gone: a checkpoint saw it")


class Checkpoints:
    """The checkpoints of *org* on *storage*, the organization's own."""

    def __init__(self, storage: Storage, *, org: str, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.org = org
        self.clock = clock

    def take(self, chains: Iterable[tuple[str, Sequence[Any]]], signer: Signer) -> bool:
        """Writes the next checkpoint. Returns False when another process took it at the same time, which is as good.

        *signer* is the organization's Ed25519 key.

        Raises:
            StorageUnavailable: the storage cannot be read or written.
        """
        if signer.algorithm != signing.ED25519:
            raise ValueError("a checkpoint is signed with Ed25519")
        number, previous = self._last()
        checkpoint = {
            "org": self.org,
            "number": number + 1,
            "time": timestamp(self.clock()),
            "previous": previous,
            "heads": {name: {"length": len(chain), "hash": events.head(chain)} for name, chain in chains},
        }
        signature = base64.b64encode(signer.sign(events.canonical(checkpoint))).decode()
        document = {"checkpoint": checkpoint, "keyid": signer.key_id, "sig": signature}
        try:
            self.storage.create(CHECKPOINT.key(number + 1), documents.encode(document))
        except Exists:
            return False
        return True

    def newest(self) -> dict[str, Any] | None:
        """Returns number, time and hash of the newest checkpoint, to be kept elsewhere; None when there is none."""
        numbers = self._numbers()
        if not numbers:
            return None
        checkpoint = documents.decode(self.storage.read(CHECKPOINT.key(numbers[-1])).data)["checkpoint"]
        return {"number": checkpoint["number"], "time": checkpoint["time"], "hash": events.digest(checkpoint)}

    def verify(self, keys: Iterable[Json], *, witness: Json | None = None) -> tuple[SeenHeads, list[CheckFinding]]:
        """Returns what the sound checkpoints saw of the chains, and what is wrong with the others.

        *keys* are the organization's public keys. *witness* is what `newest` returned once, kept elsewhere. Call this
        before the chains are read, because they grow.
        """
        trusted = {key["keyid"]: key for key in keys if key.get("keytype") == signing.ED25519}
        seen_heads = SeenHeads()
        findings: list[CheckFinding] = []
        hashes = {0: ""}
        unread = set()
        for expected, number in enumerate(self._numbers(), 1):
            wrong = ""
            try:
                document = documents.decode(self.storage.read(CHECKPOINT.key(number)).data)
                hashes[number] = events.digest(document["checkpoint"])
                wrong = self._contradiction(document, number, hashes.get(number - 1), trusted)
                if not wrong:
                    seen_heads.add(document["checkpoint"])
            except (NproxyError, KeyError, TypeError, AttributeError, ValueError) as error:
                if getattr(error, "code", "") == documents.NEWER_CODE:
                    unread.add(number)
                    findings.append(NewerFinding(CHECKPOINT.key(number), _NEWER))
                else:
                    wrong = "this checkpoint is damaged"
            if number != expected and number - 1 not in hashes:
                findings.append(CheckFinding(CHECKPOINT.key(number - 1), "this checkpoint is missing"))
            if wrong:
                findings.append(CheckFinding(CHECKPOINT.key(number), wrong))
        if witness is not None and witness["number"] not in unread and hashes.get(witness["number"]) != witness["hash"]:
            key = CHECKPOINT.key(witness["number"])
            findings.append(CheckFinding(key, "this is not the checkpoint that was kept elsewhere"))
        return seen_heads, findings

    def _contradiction(self, document: Json, number: int, previous: str | None, trusted: dict[str, Json]) -> str:
        checkpoint, key = document["checkpoint"], trusted.get(document["keyid"])
        if key is None:
            return "this checkpoint is signed with a key that is not the organization's"
        if not signing.verify(key, events.canonical(checkpoint), document["sig"]):
            return "this checkpoint was edited: its signature does not fit"
        if checkpoint["org"] != self.org or checkpoint["number"] != number:
            return "this checkpoint belongs to another organization or number"
        if key["expires"] is not None and checkpoint["time"] >= key["expires"]:
            return "this checkpoint is signed with a key that had expired"
        if previous is not None and checkpoint["previous"] != previous:
            return "this checkpoint does not follow the one before it"
        return ""

    def _last(self) -> tuple[int, str]:
        newest = self.newest()
        return (newest["number"], newest["hash"]) if newest else (0, "")

    def _numbers(self) -> list[int]:
        return sorted(map(int, CHECKPOINT.names(self.storage)))
