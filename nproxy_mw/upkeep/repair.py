"""Repairs what a killed process left half done: events that the audit trail does not hold yet, and gaps in its index.

All of this may be done at any time, by several processes at once, and again: a chain takes an event once, and so does
the index.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from nproxy_mw.audit import verify
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import NproxyError, StorageUnavailable
from nproxy_mw.storage.layout import ADMINISTRATOR, ORGANIZATION, SYSTEM, home
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check_state import DAMAGE_ERRORS, AccountCheck, recorded_in, state_keys
from nproxy_mw.upkeep.progress import Progress

T = TypeVar("T")

_DAMAGE = (NproxyError, *DAMAGE_ERRORS)


class OutOfTime(Exception):
    """There was more to repair than the time allowed."""


def repair_trail(trail: Trail, progress: Progress) -> None:
    """Appends pending events to an organization's trail, and makes the index say what the chains say.

    Damaged objects are left as they are.
    """
    _append_pending(trail, state_keys(trail.storage), progress)
    with suppress(StorageUnavailable):
        if repaired := verify.reindex(trail, verify.all_chains(trail)):
            progress.count("changes put into its index", repaired)


def repair_quickly(storage: Storage, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Progress:
    """Repairs what crashes leave in a whole store, for as long as *seconds*; returns what was done.

    Each record is read once and the index is listed, so only what is missing is written. An index entry that differs
    from the chain is not the result of a crash: it is left to ``nproxy-mw check``.

    Raises:
        OutOfTime: some of the store was not looked at.
        StorageUnavailable: the storage cannot be read or written.
    """
    progress, accounts, end = Progress(), AccountCheck(storage), monotonic() + seconds

    def in_time(items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if monotonic() > end:
                raise OutOfTime
            yield item

    orgs = [SYSTEM]
    for org in in_time(ORGANIZATION.names(storage)):
        orgs.append(org)
        accounts.append_pending(ORGANIZATION.key(org))
    for key in in_time(ADMINISTRATOR.keys(storage)):
        accounts.append_pending(key)
    for org in orgs:
        trail = Trail(home(storage, org), org=org)
        _append_pending(trail, in_time(state_keys(trail.storage)), progress)
        if filled := verify.fill(trail, in_time(verify.all_chains(trail))):
            progress.count("changes put into its index", filled)
    return progress


def _append_pending(trail: Trail, keys: Iterable[str], progress: Progress) -> None:
    """Appends the events that the objects under *keys* carry and the administration's chain lacks."""
    in_chain = _ids_in(trail)
    for key in keys:
        with suppress(*_DAMAGE):
            recorded = recorded_in(trail.storage, key)
            if not in_chain.issuperset(event["id"] for event in recorded) and trail.append_pending(recorded):
                progress.count("changes added to the audit trail")


def _ids_in(trail: Trail) -> set[Any]:
    """The identifiers of all events in the administration's chain, read once for all objects."""
    with suppress(*_DAMAGE):
        return {event["id"] for event in trail.chain()}
    return set()
