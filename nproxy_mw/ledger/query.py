"""Asking the ledger: who fetched what between two moments; and keeping it small."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta

from nproxy_mw.errors import Missing
from nproxy_mw.ledger.facts import Counts, Install, InstallKey, LedgerPart, decode, encode, installs, merge
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import INSTALLS
from nproxy_mw.storage.port import Storage

MAX_DAYS = 3660
"""Days that one question may span."""


def find(
    storage: Storage,
    since: datetime,
    until: datetime,
    wanted: Callable[[InstallKey], bool] = lambda key: True,
    *,
    packages: Collection[str] | None = None,
) -> Iterator[Install]:
    """Yields the facts between *since* and *until* (aware) for which *wanted* holds, oldest day first.

    If *packages* are given, only theirs are built: of a busy day, most facts are about others.

    A fact counts one day. It is yielded when the span from its first fetch to its last touches the asked one.

    Raises:
        ValueError: the span is longer than `MAX_DAYS`.
        StorageUnavailable: the storage cannot be read, or an object of the ledger is damaged.
    """
    if until - since > timedelta(days=MAX_DAYS):
        raise ValueError(f"Ask for at most {MAX_DAYS} days at once.")
    for day in _days(since.date(), until.date()):
        counts = {key: count for key, count in read_day(storage, day, packages).items() if wanted(key)}
        for install in installs(counts):
            if install.first <= until and install.last >= since:
                yield install


def read_day(storage: Storage, day: date, packages: Collection[str] | None = None) -> Counts:
    """Returns the facts of one day, all or those of *packages*. Raises `UnreadableObject` for a damaged object."""
    whole: Counts = {}
    for part in _counted(_parts(storage, day, packages)).values():
        merge(whole, part.counts)
    return whole


def compact(storage: Storage, day: date, *, dry_run: bool = False) -> int:
    """Merges the objects of *day*, which must be over, into one. Returns how many objects that saves.

    With *dry_run*, they are only counted.

    The merged object names those that it stands for. Until they are removed, readers pass over them, so that a crash
    in between counts nothing twice.
    """
    parts = _parts(storage, day)
    counted = _counted(parts)
    if dry_run:
        return max(len(parts) - 1, 0)
    if len(counted) > 1:
        whole: Counts = {}
        for part in counted.values():
            merge(whole, part.counts)
        storage.create(INSTALLS.key(f"{day:%Y/%m/%d}", f"day-{secrets.token_hex(8)}"), encode(whole, parts))
    over = set(parts) if len(counted) > 1 else set(parts) - set(counted)
    for key in over:
        with suppress(Missing):
            storage.delete(key)
    return max(len(parts) - 1, 0)


def days_of(storage: Storage) -> list[date]:
    """Returns the days of which there is anything, oldest first."""
    return sorted({day_of(key) for key in INSTALLS.keys(storage)})


def prune(storage: Storage, before: date, *, dry_run: bool = False) -> int:
    """Removes every object of days before *before*. Returns how many there were; with *dry_run*, that is all."""
    old = [key for key in INSTALLS.keys(storage) if day_of(key) < before]
    for key in () if dry_run else old:
        storage.delete(key)
    return len(old)


def _parts(storage: Storage, day: date, packages: Collection[str] | None = None) -> dict[str, LedgerPart]:
    found: dict[str, LedgerPart] = {}
    for key in list(storage.list(f"{INSTALLS.folder}/{day:%Y/%m/%d}")):
        try:
            found[key] = decode(storage.read(key).data, packages)
        except Missing:  # compacted meanwhile: its facts are in an object that the next look finds
            return _parts(storage, day, packages)
        except ValueError as error:
            raise UnreadableObject(_DAMAGED, code="damaged-object", retry_after=60) from error
    return found


def _counted(parts: dict[str, LedgerPart]) -> dict[str, LedgerPart]:
    replaced = {name for part in parts.values() for name in part.of}
    return {key: part for key, part in parts.items() if key not in replaced}


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


def day_of(key: str) -> date:
    """Returns the day in UTC that the object of the ledger under *key* is about."""
    return date.fromisoformat("-".join(key.removeprefix(f"{INSTALLS.folder}/").split("/")[:3]))


_DAMAGED = "A part of the ledger of installs is damaged: run 'nproxy-mw check' to see which, and restore it."
