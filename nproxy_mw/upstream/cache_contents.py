"""What a cache holds, for the person who runs it: how much of each kind, and how to remove it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from nproxy_mw.errors import Missing
from nproxy_mw.storage import LocalStorage, open_storage
from nproxy_mw.storage.port import Storage
from nproxy_mw.upstream.cache_units import described, unit_of, units_in
from nproxy_mw.upstream.eviction import Eviction, remove


@dataclass(slots=True)
class Amount:
    """How much there is: *things*, and their *size* in bytes; None where it is not known."""

    things: int = 0
    size: int | None = 0


def amounts(url: str) -> Mapping[str, Amount]:
    """Returns what the cache at *url* holds, by kind: ``packuments``, ``tarballs``, ``decisions``, ``documents``.

    Raises:
        ValueError: *url* is of a kind that is not supported.
        StorageUnavailable: it cannot be read just now.
    """
    storage = open_storage(url)
    found: dict[str, Amount] = {}
    if isinstance(storage, LocalStorage):
        for unit in units_in(storage.root):
            amount = found.setdefault(unit.kind, Amount())
            amount.things, amount.size = amount.things + 1, (amount.size or 0) + unit.size
        return found
    for kind, _ in {(described(key)[0], (part, unit_of(key))) for part, key in _objects(storage)}:
        found.setdefault(kind, Amount(size=None)).things += 1
    return found


def clear(url: str, packages: Collection[str] = (), *, bound: int) -> int:
    """Removes what the cache at *url* holds of *packages*, or all of it when none is named; returns how many things.

    A server may go on using it. *bound* is that of the cache. Raises as `amounts`.
    """
    storage = open_storage(url)
    if isinstance(storage, LocalStorage):
        units = [unit for unit in units_in(storage.root) if not packages or unit.package in packages]
        for unit in units:
            remove(unit)
        if units:
            Eviction(storage.root, bound=bound).run()  # counts what is left
        return len(units)
    chosen = [(part, key) for part, key in _objects(storage) if not packages or described(key)[1] in packages]
    for part, key in chosen:
        with suppress(Missing):
            storage.delete(f"{part}/{key}")
    return len({(part, unit_of(key)) for part, key in chosen})


def _objects(storage: Storage) -> Iterator[tuple[str, str]]:
    for key in storage.list():
        part, _, inner = key.partition("/")
        yield part, inner
