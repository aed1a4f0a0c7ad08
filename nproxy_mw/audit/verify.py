"""The audit trail of one organization, verified: every chain, the index against them, and the checkpoints over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson

from nproxy_mw.audit import events, index
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import Finding
from nproxy_mw.audit.trail import ADMINISTRATION, Trail
from nproxy_mw.errors import Exists, Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import INDEX, RECORD
from nproxy_mw.storage.port import Storage

Chains: TypeAlias = Iterable[tuple[str, Sequence[Any]]]
"""Names of chains, and what is stored of each; read only when asked for, one after the other."""


def chain_in(data: bytes) -> Sequence[Any]:
    """The chain in a package's stored record. A record that cannot be read shows as a chain of one thing, no event."""
    try:
        chain = orjson.loads(data)["chain"]
    except (ValueError, KeyError, TypeError):
        return [None]
    return chain if isinstance(chain, list) else [None]


def package_chains(storage: Storage) -> Iterator[tuple[str, Sequence[Any]]]:
    """The chains of all packages on *storage*, the organization's own."""
    for name in RECORD.names(storage):
        try:
            data = storage.read(RECORD.key(name)).data
        except Missing:  # a record is never removed: what checkpoints saw of it tells
            continue
        yield name, chain_in(data)


def all_chains(trail: Trail) -> Iterator[tuple[str, Sequence[Any]]]:
    """Every chain of an organization: the administration's, then the packages'."""
    try:
        yield ADMINISTRATION, trail.chain()
    except StorageUnavailable as error:
        if error.code != documents.DAMAGED_CODE:
            raise
        yield ADMINISTRATION, [None]
    yield from package_chains(trail.storage)


def verify(
    trail: Trail, chains: Chains, checkpoints: Checkpoints, keys: Iterable[Json], *, witness: Json | None = None
) -> Iterator[Finding]:
    """Answers everything that is not as it was written.

    *chains* are all of them (`all_chains`), not read yet: checkpoints and index are looked at first, so that what is
    written meanwhile is not taken for missing. *keys* are the organization's public keys: those that were kept
    elsewhere, or those of its `KeyStore`, which are as good as the storage, or its seal, is. *witness* is what
    `Checkpoints.newest` once answered, kept elsewhere.
    """
    promises, findings = checkpoints.verify(keys, witness=witness)
    yield from findings
    unseen = set(trail.storage.list(INDEX.folder))
    for name, chain in chains:
        findings = events.verify(chain, name)
        yield from findings
        yield from promises.check(name, chain)
        damaged = {finding.index for finding in findings}
        for place, event in enumerate(chain):
            if place not in damaged:
                yield from (Finding(name, what, place) for what in _event_flaws(trail, name, event, unseen))
    yield from promises.broken()
    yield from (
        Finding(key, "no chain holds this event: it was put here, or its chain was cut") for key in sorted(unseen)
    )


def reindex(trail: Trail, chains: Chains) -> int:
    """Writes the events that the index lacks or holds otherwise. Answers how many.

    What the index holds beside them stays: it may be all that is left of a chain that was cut.
    """
    return sum(_repair(trail.storage, event) for _, chain in chains for event in sound(chain))


def fill(trail: Trail, chains: Chains) -> int:
    """Writes the events that the index lacks, and nothing else. Answers how many.

    The index is listed once and first, so that what is written meanwhile is at most written twice.
    """
    there = set(trail.storage.list(INDEX.folder))
    filled = 0
    for _, chain in chains:
        for event in sound(chain):
            if index.index_key(event) not in there:
                filled += index.write(trail.storage, event)
    return filled


def sound(chain: Sequence[Any]) -> Iterator[Json]:
    """The events of *chain* in which nothing is wrong."""
    damaged = {finding.index for finding in events.verify(chain)}
    return (event for place, event in enumerate(chain) if place not in damaged)


def _event_flaws(trail: Trail, name: str, event: Json, unseen: set[str]) -> Iterator[str]:
    if event["org"] != trail.org or (name != ADMINISTRATION and event.get("package") != name):
        yield "this event tells of another organization or package"
    key = index.index_key(event)
    unseen.discard(key)
    try:
        if orjson.loads(trail.storage.read(key).data) != event:
            yield "the index holds this event otherwise: mend it with 'nproxy-mw check --repair'"
    except Missing:
        yield "the index lacks this event: mend it with 'nproxy-mw check --repair'"
    except ValueError:
        yield "the index holds this event damaged: mend it with 'nproxy-mw check --repair'"


def _repair(storage: Storage, event: Json) -> bool:
    key, data = index.index_key(event), orjson.dumps(event)
    try:
        storage.create(key, data)
    except Exists:
        stored = storage.read(key)
        if stored.data == data:
            return False
        storage.replace(key, data, stored.revision)
    return True
