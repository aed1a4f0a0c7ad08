"""Reads a whole store and reports everything in it that is not as it should be.

*Strategy:* every record is read once, with the bytes of all its tarballs, several packages at a time; its chain is
passed on to the verification of the audit trail while it is in memory. What looks wrong in a record is checked again
when the record has changed meanwhile, because a store may be checked while it is served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from nproxy_mw.audit import verify
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding
from nproxy_mw.audit.trail import ADMINISTRATION, Trail
from nproxy_mw.copies import replace
from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import (
    CHAIN,
    KEYS,
    ORGANIZATION,
    RECORD,
    UNKNOWN,
    Care,
    Scope,
    home,
    kind_of,
    locate,
)
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check_packages import check_package
from nproxy_mw.upkeep.check_state import AccountCheck, check_states
from nproxy_mw.upkeep.organizations import require_organizations
from nproxy_mw.upkeep.orphans import is_orphan, orphans
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress
from nproxy_mw.upkeep.repair import repair_trail

_ORPHANED = "no record names this {}: a change is under way, or was cut short"


class OrphanFinding(CheckFinding, frozen=True):
    """A tarball or part that no record names: harmless, and removed by ``nproxy-mw gc``."""


def check(
    storage: Storage, orgs: Iterable[str] = (), *, repair: bool = False, progress: Progress | None = None
) -> Iterator[CheckFinding]:
    """Yields everything that is wrong in *storage*, a whole store; each finding names the key it is about.

    If *orgs* is empty, all organizations are checked. With *repair*, derived data is repaired first: events that a
    crash kept from the audit trail, and the index of events.

    Raises:
        NotFound: the store has nothing of one of *orgs*.
        StorageUnavailable: the storage cannot be listed.
    """
    progress = Progress() if progress is None else progress
    wanted, accounts = require_organizations(storage, orgs), AccountCheck(storage)
    found: set[str] = set()
    for key in _keys(storage, wanted):
        progress.count("objects")
        place = locate(key)
        if place.org is not None:
            found.add(place.org)
        if place.kind.care is Care.REPORTED:
            yield CheckFinding(key, "this object is unknown")
        elif place.org is None and place.kind.care is Care.COMPARED:
            if repair:
                accounts.append_pending(key)
            yield from accounts.findings(key)
    for org in wanted or sorted(found):
        yield from _check_organization(storage, org, repair=repair, progress=progress)


def _check_organization(storage: Storage, org: str, *, repair: bool, progress: Progress) -> Iterator[CheckFinding]:
    """Yields everything that is wrong in the home of one organization."""
    own = home(storage, org)
    trail = Trail(own, org=org)
    if repair:
        repair_trail(trail, progress)
    for finding in _organization_findings(trail, progress):
        yield replace(finding, where=own.outer(_key_of(finding.where)))


def _organization_findings(trail: Trail, progress: Progress) -> Iterator[CheckFinding]:
    yield from check_states(trail, progress)
    in_packages: deque[CheckFinding] = deque()
    chains = _chains(trail, in_packages, progress)
    checkpoints = Checkpoints(trail.storage, org=trail.org)
    for finding in verify.verify(trail, chains, checkpoints, _public_keys(trail.storage)):
        while in_packages:
            yield in_packages.popleft()
        yield finding
    yield from in_packages
    # Checked once more at the end: most publishes that were under way have ended by now.
    for key in list(orphans(trail.storage)):
        with suppress(UnreadableObject, ValueError, Missing):
            if is_orphan(trail.storage, key):
                yield OrphanFinding(
                    key,
                    _ORPHANED.format(kind_of(key, Scope.ORGANIZATION).name),
                )


def _chains(trail: Trail, findings: deque[CheckFinding], progress: Progress) -> Iterator[tuple[str, Sequence[Any]]]:
    """Every chain of an organization; what is wrong with the packages meanwhile goes into *findings*."""
    try:
        yield ADMINISTRATION, verify.administration_chain(trail)
    except StorageUnavailable:
        yield ADMINISTRATION, [None]
    for package in map_ordered(partial(check_package, trail.storage), RECORD.names(trail.storage)):
        if package is not None:
            progress.count("packages")
            progress.count("versions", package.versions)
            findings.extend(package.findings)
            yield package.name, package.chain


def _keys(storage: Storage, orgs: Iterable[str]) -> Iterator[str]:
    if not orgs:
        yield from storage.list()
    for org in orgs:
        yield ORGANIZATION.key(org)
        yield from map(home(storage, org).outer, home(storage, org).list())


def _public_keys(storage: Storage) -> Sequence[Any]:
    """The organization's public keys; none when they cannot be read, which is a finding of its own."""
    try:
        document = documents.find(storage, KEYS.key())
        return list(document["keys"]) if document else []
    except (StorageUnavailable, KeyError, TypeError):
        return []


def _key_of(where: str) -> str:
    """The key of what the verification names: a chain by its name, anything else by its key."""
    if where == ADMINISTRATION:
        return CHAIN.key()
    return RECORD.key(where) if kind_of(where, Scope.ORGANIZATION) is UNKNOWN else where
