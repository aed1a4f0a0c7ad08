"""Reads a whole store and tells everything in it that is not as it should be.

*Strategy:* every record is read once, with the bytes of all its tarballs, several packages at a time; its chain is
handed on to the verification of the audit trail while it is at hand. What looks wrong in a record is looked at again
when the record has changed meanwhile: a store may be checked while it is served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nproxy_mw.audit import verify
from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import Finding
from nproxy_mw.audit.trail import ADMINISTRATION, Trail
from nproxy_mw.errors import Missing, NproxyError, StorageUnavailable
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages.record import Record, decode
from nproxy_mw.storage import documents
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import CHAIN, KEYS, RECORD, TARBALL, Care, home, locate
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.orphans import is_orphan, orphans
from nproxy_mw.upkeep.packages import record_flaws, tarball_flaws
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress
from nproxy_mw.upkeep.repair import mend
from nproxy_mw.upkeep.state import DAMAGED, Accounts, state_findings

_LOOKS = 3  # at a package that changes while it is looked at


@dataclass(frozen=True, slots=True)
class Orphan(Finding):
    """A tarball that no record names: harmless, and removed by ``nproxy-mw gc``."""


def check(
    storage: Storage, orgs: Iterable[str] = (), *, repair: bool = False, progress: Progress | None = None
) -> Iterator[Finding]:
    """Yields everything that is wrong in *storage*, a whole store; each finding names the key it is about.

    If *orgs* is empty, it is about all of them. With *repair*, what is derived is first mended: events that a crash
    left untold, and the index of events.

    Raises:
        StorageUnavailable: the storage cannot be listed.
    """
    progress = progress or Progress()
    wanted, accounts = set(orgs), Accounts(storage)
    found: set[str] = set()
    for key in _keys(storage, wanted):
        progress.count("objects")
        place = locate(key)
        if place.org is not None:
            found.add(place.org)
        if place.kind.care is Care.REPORTED:
            yield Finding(key, "this is none of the objects that a store has")
        elif place.org is None and place.kind.care is Care.COMPARED:
            if repair:
                accounts.settle(key)
            yield from accounts.findings(key)
    for org in sorted(wanted or found):
        yield from check_organization(storage, org, repair=repair, progress=progress)


def check_organization(storage: Storage, org: str, *, repair: bool, progress: Progress) -> Iterator[Finding]:
    """Yields everything that is wrong in one organization."""
    own = home(storage, org)
    trail = Trail(own, org=org)
    if repair:
        mend(trail, progress)
    for finding in _organization_findings(trail, progress):
        yield replace(finding, where=own.outer(_key_of(finding.where)))


def _organization_findings(trail: Trail, progress: Progress) -> Iterator[Finding]:
    yield from state_findings(trail, progress)
    in_packages: deque[Finding] = deque()
    for finding in verify.verify(
        trail, _chains(trail, in_packages, progress), Checkpoints(trail.storage, org=trail.org), _keys_of(trail.storage)
    ):
        while in_packages:
            yield in_packages.popleft()
        yield finding
    yield from in_packages
    # Looked at once more at the end: most publishes that were under way are through by now.
    for key in list(orphans(trail.storage)):
        with suppress(UnreadableObject, ValueError, Missing):
            if is_orphan(trail.storage, key):
                yield Orphan(key, "no record names this tarball: a publish is under way, or was cut short")


def _chains(trail: Trail, findings: deque[Finding], progress: Progress) -> Iterator[tuple[str, Sequence[Any]]]:
    """Every chain of an organization; what is wrong with the packages meanwhile goes into *findings*."""
    try:
        yield ADMINISTRATION, trail.chain()
    except StorageUnavailable:
        yield ADMINISTRATION, [None]
    for package in map_ordered(lambda name: look_at(trail.storage, name), RECORD.names(trail.storage)):
        progress.count("packages")
        progress.count("versions", package.versions)
        findings.extend(package.findings)
        yield package.name, package.chain


@dataclass(frozen=True, slots=True)
class Package:
    """What a look at one package showed."""

    name: str
    chain: Sequence[Any] = ()
    versions: int = 0
    findings: Sequence[Finding] = ()


def look_at(storage: Storage, name: str) -> Package:
    """Reads a package's record and the bytes of all its tarballs."""
    package, key = Package(name), RECORD.key(name)
    for _ in range(_LOOKS):
        try:
            stored = storage.read(key)
        except StorageUnavailable as error:
            return replace(package, chain=[None], findings=[Finding(key, f"this cannot be read: {error.message}")])
        package = _described(storage, name, key, stored.data)
        with suppress(NproxyError):
            if not package.findings or storage.read_if_changed(key, stored.revision) is None:
                break
    return package


def _described(storage: Storage, name: str, key: str, data: bytes) -> Package:
    try:
        record = decode(data)
        findings = list(_package_findings(storage, parse_name(name), record))
    except (NproxyError, ValueError, KeyError, TypeError, AttributeError):
        return Package(name, verify.chain_in(data), findings=[Finding(key, DAMAGED)])
    return Package(name, record.chain, len(record.tarballs), findings)


def _package_findings(storage: Storage, name: Name, record: Record) -> Iterator[Finding]:
    yield from (Finding(RECORD.key(name), flaw) for flaw in record_flaws(name, record))
    versions = record.packument["versions"] if record.packument else {}
    for version, entry in record.tarballs.items():
        dist = versions.get(version, {}).get("dist", {})
        for flaw in tarball_flaws(storage, name, entry, dist):
            yield Finding(TARBALL.key(name, entry["key"]), f"version {version}: {flaw}")


def _keys(storage: Storage, orgs: set[str]) -> Iterator[str]:
    if not orgs:
        yield from storage.list()
    for org in sorted(orgs):
        yield from map(home(storage, org).outer, home(storage, org).list())


def _keys_of(storage: Storage) -> Sequence[Any]:
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
    if "." in where.rpartition("/")[2] and not where.startswith("@"):
        return where
    return RECORD.key(where)
