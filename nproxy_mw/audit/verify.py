"""The audit trail of one organization, verified: every chain, the index against them, and the checkpoints over them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from nproxy_mw.audit import events, index
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding, NewerFinding
from nproxy_mw.audit.package_chain import NEWER, chain_of
from nproxy_mw.audit.trail import ADMINISTRATION, Trail
from nproxy_mw.errors import Exists, Missing
from nproxy_mw.json_values import Json
from nproxy_mw.storage.documents import NEWER_CODE, UnreadableObject
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.port import Storage

Chains: TypeAlias = Iterable[tuple[str, Sequence[Any]]]
"""Names of chains, and what is stored of each; read only when asked for, one after the other."""

_REPAIR = "repair it with 'nproxy-mw check --repair'"


class IndexFinding(CheckFinding, frozen=True):
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
    """Returns the administration's chain, or one thing in its place that is no event: see `package_chain.pieces_of`.

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
    of its `KeyStore`, which can be trusted as far as the storage or its seal can. *witness* is what
    `Checkpoints.newest` returned once, kept elsewhere.

    Raises:
        StorageUnavailable: the storage cannot be read.
    """
    seen_heads, findings = checkpoints.verify(keys, witness=witness)
    yield from findings
    held, all_readable = _HeldIndex(trail), True
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
            if place not in broken and not _belongs(trail.org, name, event):
                yield CheckFinding(name, "this event is about another organization or package", place)
        yield from held.check(name, chain, broken)
    yield from seen_heads.missing()
    if all_readable:
        yield from held.unseen()


def reindex(trail: Trail, chains: Chains) -> int:
    """Writes what the index lacks or holds differently; returns how many objects that were.

    What else the index holds stays: it may be all that is left of a chain that was cut.
    """
    keys = index.keys(trail.storage)
    return sum(_repair(trail.storage, key, data) for key, data in _objects((chain for _, chain in chains), keys))


def fill(storage: Storage, chains: Iterable[Sequence[Any]], keys: Container[str]) -> int:
    """Writes the changes of *chains* that an index with *keys* lacks, and nothing else; returns how many objects.

    *storage* is the organization's own. The keys are listed first, so what is written meanwhile is at most tried again.
    """
    filled = 0
    for chain in chains:
        if any(index.index_key(change) not in keys for change in index.changes_in(chain)):
            lacking = ((key, data) for key, data in _objects([chain], keys) if key not in keys)
            filled += sum(_create(storage, key, data) for key, data in lacking)
    return filled


class _HeldIndex:
    """What the index of *trail* has, listed once, and not yet found in a chain."""

    def __init__(self, trail: Trail) -> None:
        self.storage = trail.storage
        self.keys = index.keys(trail.storage)
        self._unseen = {*self.keys}

    def check(self, name: str, chain: Sequence[Any], broken: Container[int | None]) -> Iterator[CheckFinding]:
        """Yields where the index differs from *chain*. Nothing can be said of changes with *broken* events."""
        places = {id(event): place for place, event in enumerate(chain)}
        for change in index.changes_in(chain):
            objects, place = index.objects_of(change, self.keys), places[id(change[0])]
            self._unseen -= objects.keys()
            if any(places[id(event)] in broken for event in change):
                cursors = set(map(index.cursor_of, change))
                self._unseen -= {key for key in self._unseen if any(cursor in key for cursor in cursors)}
                continue
            for key, data in objects.items():
                if difference := self._difference(key, data):
                    yield IndexFinding(name, f"the index {difference}: {_REPAIR}", place)

    def unseen(self) -> Iterator[CheckFinding]:
        """Yields what no chain holds."""
        for key in sorted(self._unseen):
            yield CheckFinding(key, "no chain holds this event: it was put here, or its chain was cut")

    def _difference(self, key: str, data: bytes) -> str:
        try:
            return "" if self.storage.read(key).data == data else "holds this event differently"
        except Missing:
            return "lacks this event"


def _objects(chains: Iterable[Sequence[Any]], keys: Container[str]) -> Iterator[tuple[str, bytes]]:
    """What an index that has *keys* should hold of *chains*: all changes in which nothing is wrong."""
    for chain in chains:
        previous = str(chain[0].get("previous")) if chain and isinstance(chain[0], dict) else ""
        broken = {id(chain[finding.index or 0]) for finding in events.verify(chain, previous=previous)}
        for change in index.changes_in(chain):
            if not any(id(event) in broken for event in change):
                yield from index.objects_of(change, keys).items()


def _belongs(org: str, name: str, event: Json) -> bool:
    """Whether *event* is about what the chain *name* of *org* is about."""
    return bool(event["org"] == org and (name == ADMINISTRATION or event.get("package") == name))


def _create(storage: Storage, key: str, data: bytes) -> bool:
    """Writes an object of the index; returns whether it was missing."""
    try:
        storage.create(key, data)
    except Exists:
        return False
    return True


def _repair(storage: Storage, key: str, data: bytes) -> bool:
    """Writes an object of the index, or replaces another one; returns whether that was necessary."""
    if _create(storage, key, data):
        return True
    stored = storage.read(key)
    if stored.data == data:
        return False
    storage.replace(key, data, stored.revision)
    return True
