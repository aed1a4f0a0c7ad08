"""The audit trail of one organization, verified: every chain, the index against them, and the checkpoints over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from nproxy_mw.audit import events, index
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding, NewerFinding
from nproxy_mw.audit.package_chain import NEWER, chain_of
from nproxy_mw.audit.trail import ADMINISTRATION, Trail
from nproxy_mw.errors import Exists, Missing
from nproxy_mw.json_values import Json
from nproxy_mw.storage.documents import NEWER_CODE, UnreadableObject
from nproxy_mw.storage.layout import INDEX, RECORD
from nproxy_mw.storage.port import Storage

Chains: TypeAlias = Iterable[tuple[str, Sequence[Any]]]
"""Names of chains, and what is stored of each; read only when asked for, one after the other."""

_REPAIR = "repair it with 'nproxy-mw check --repair'"


@dataclass(frozen=True, slots=True)
class IndexFinding(CheckFinding):
    """A difference between the derived index and a sound chain: a crash can leave it, and the chain makes up for it."""


def _package_chains(storage: Storage) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yields the chains of all packages on *storage*, the organization's own."""
    for name in RECORD.names(storage):
        try:
            chain = chain_of(storage, name)
        except Missing:  # a record is never removed: what checkpoints saw of it shows that
            continue
        yield name, chain


def administration_chain(trail: Trail) -> Sequence[Any]:
    """Returns the administration's chain, or one thing in its place that is no event: see `package_chain.chain_in`.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    try:
        return trail.chain()
    except UnreadableObject as error:
        return [NEWER if error.code == NEWER_CODE else None]


def all_chains(trail: Trail) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yields every chain of an organization: the administration's, then the packages'.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    yield ADMINISTRATION, administration_chain(trail)
    yield from _package_chains(trail.storage)


def verify(
    trail: Trail, chains: Chains, checkpoints: Checkpoints, keys: Iterable[Json], *, witness: Json | None = None
) -> Iterator[CheckFinding]:
    """Yields everything that is not as it was written.

    *chains* are all of them (`all_chains`), not read yet: checkpoints and index are read first, so that what is written
    meanwhile does not seem missing. *keys* are the organization's public keys: those that were kept elsewhere, or those
    of its `KeyStore`, which are as good as the storage or its seal. *witness* is what `Checkpoints.newest` returned
    once, kept elsewhere.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    seen_heads, findings = checkpoints.verify(keys, witness=witness)
    yield from findings
    unseen, all_readable = set(trail.storage.list(INDEX.folder)), True
    for name, chain in chains:
        if list(chain) == [NEWER]:
            all_readable = False
            seen_heads.heads.pop(name, None)
            yield NewerFinding(name, "a newer version of nproxy-mw wrote this: verify it with that version")
            continue
        findings = events.verify(chain, name)
        yield from findings
        yield from seen_heads.check(name, chain)
        broken = {finding.index for finding in findings}
        for place, event in enumerate(chain):
            if place not in broken:
                yield from _event_findings(trail, name, place, event, unseen)
    yield from seen_heads.missing()
    if all_readable:
        for key in sorted(unseen):
            yield CheckFinding(key, "no chain holds this event: it was put here, or its chain was cut")


def reindex(trail: Trail, chains: Chains) -> int:
    """Writes the events that the index lacks or holds differently; returns how many.

    What else the index holds stays: it may be all that is left of a chain that was cut.
    """
    return sum(_repair(trail.storage, event) for _, chain in chains for event in _sound(chain))


def fill(trail: Trail, chains: Chains) -> int:
    """Writes the events that the index lacks, and nothing else; returns how many.

    The index is listed once and first, so that what is written meanwhile is at most written twice.
    """
    indexed = set(trail.storage.list(INDEX.folder))
    filled = 0
    for _, chain in chains:
        for event in _sound(chain):
            if index.index_key(event) not in indexed:
                filled += index.write(trail.storage, event)
    return filled


def _sound(chain: Sequence[Any]) -> Iterator[Json]:
    """The events of *chain* in which nothing is wrong."""
    broken = {finding.index for finding in events.verify(chain)}
    return (event for place, event in enumerate(chain) if place not in broken)


def _event_findings(trail: Trail, name: str, place: int, event: Json, unseen: set[str]) -> Iterator[CheckFinding]:
    if event["org"] != trail.org or (name != ADMINISTRATION and event.get("package") != name):
        yield CheckFinding(name, "this event is about another organization or package", place)
    key = index.index_key(event)
    unseen.discard(key)
    try:
        if orjson.loads(trail.storage.read(key).data) != event:
            yield IndexFinding(name, f"the index holds this event differently: {_REPAIR}", place)
    except Missing:
        yield IndexFinding(name, f"the index lacks this event: {_REPAIR}", place)
    except ValueError:
        yield IndexFinding(name, f"the index holds this event damaged: {_REPAIR}", place)


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
