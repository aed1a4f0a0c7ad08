"""Mends what a killed process left half done: changes that the audit trail does not tell of, and gaps in its index.

Everything here may be done at any time, by several at once, and again: a chain takes an event once, and so does the
index.
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
from nproxy_mw.upkeep.progress import Progress
from nproxy_mw.upkeep.state import Accounts, state_keys, untold

Item = TypeVar("Item")

_DAMAGED = (NproxyError, KeyError, TypeError, ValueError, AttributeError)


class OutOfTime(Exception):
    """There was more to look at than could be looked at in time."""


def mend(trail: Trail, progress: Progress) -> None:
    """Tells of changes that a crash left untold, and makes the index say what the chains say.

    What is damaged is left as it is.
    """
    settle(trail, state_keys(trail.storage), progress)
    with suppress(StorageUnavailable):
        if mended := verify.reindex(trail, verify.all_chains(trail)):
            progress.count("events put into the index", mended)


def mend_quickly(storage: Storage, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> Progress:
    """Mends what crashes leave in a whole store, for as long as *seconds*; answers what was done.

    Each record is read once and the index is listed, so nothing but what is missing is written. An entry of the index
    that says something else than the chain is no crash's work: it is left to ``nproxy-mw check``.

    Raises:
        OutOfTime: some was not looked at.
        StorageUnavailable: the storage cannot be read or written.
    """
    progress, accounts, end = Progress(), Accounts(storage), monotonic() + seconds

    def in_time(items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if monotonic() > end:
                raise OutOfTime
            yield item

    orgs = [SYSTEM]
    for org in in_time(ORGANIZATION.names(storage)):
        orgs.append(org)
        accounts.settle(ORGANIZATION.key(org))
    for key in in_time(ADMINISTRATOR.keys(storage)):
        accounts.settle(key)
    for org in orgs:
        trail = Trail(home(storage, org), org=org)
        settle(trail, in_time(state_keys(trail.storage)), progress)
        if filled := verify.fill(trail, in_time(verify.all_chains(trail))):
            progress.count("events put into the index", filled)
    return progress


def settle(trail: Trail, keys: Iterable[str], progress: Progress) -> None:
    """Tells of the changes of the objects under *keys* that the administration's chain does not tell of."""
    hung = _hung(trail)
    for key in keys:
        with suppress(*_DAMAGED):
            told = untold(trail.storage, key)
            if not hung.issuperset(event["id"] for event in told) and trail.append_pending(told):
                progress.count("untold changes told")


def _hung(trail: Trail) -> set[Any]:
    """The identifiers of all events in the administration's chain, read once for all that may be untold."""
    with suppress(*_DAMAGED):
        return {event["id"] for event in trail.chain()}
    return set()
