"""What can be wrong with one package: its record and the parts of it, and its tarballs and manifests against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nproxy_mw.audit.events import CheckFinding
from nproxy_mw.audit.package_chain import EventPart, chain_of
from nproxy_mw.errors import Missing, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.npm.digests import digests
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import is_version
from nproxy_mw.packages.record import Record, decode
from nproxy_mw.packages.records import uncached
from nproxy_mw.packages.verify import manifest_difference
from nproxy_mw.packages.version_parts import VersionPart
from nproxy_mw.storage.layout import PART, RECORD, TARBALL
from nproxy_mw.storage.parts import PartMissing, PartRef, StoredPart, decode_part, read_part
from nproxy_mw.storage.port import Storage
from nproxy_mw.upkeep.check_state import DAMAGE_ERRORS, damage_of

_LOOKS = 3  # at a package that changes while it is checked


@dataclass(frozen=True, slots=True)
class CheckedPackage:
    """What was found in one package. *chain* is the chain in its record."""

    name: str
    chain: list[Any]
    versions: int = 0
    findings: tuple[CheckFinding, ...] = ()


def check_package(storage: Storage, name: str) -> CheckedPackage | None:
    """Reads a package's record and the bytes of all its tarballs; returns None when there is no record.

    What seems wrong is checked again when the record has changed meanwhile.
    """
    key = RECORD.key(name)
    package = None
    for _ in range(_LOOKS):
        try:
            stored = storage.read(key)
        except Missing:
            return None
        except StorageUnavailable as error:
            return CheckedPackage(name, [None], findings=(CheckFinding(key, damage_of(error)),))
        package = _checked(storage, name, stored.data)
        with suppress(NproxyError):
            if not package.findings or storage.read_if_changed(key, stored.revision) is None:
                break
    return package


def _checked(storage: Storage, name: str, data: bytes) -> CheckedPackage:
    package = CheckedPackage(name, list(chain_of(storage, name, data)))
    try:
        record = decode(data)
        wrong = tuple(_check_parts(storage, name, record))
        if wrong:
            return replace(package, findings=wrong)
        whole = uncached(storage).completed(parse_name(name), record)
        return replace(
            package, versions=len(whole.tarballs), findings=tuple(_findings(storage, parse_name(name), whole))
        )
    except DAMAGE_ERRORS as error:
        return replace(package, findings=(CheckFinding(RECORD.key(name), damage_of(error)),))


def _check_parts(storage: Storage, name: str, record: Record) -> Iterator[CheckFinding]:
    """Yields what is wrong with each part of *record* by itself."""
    named: list[tuple[type[StoredPart], Sequence[PartRef]]] = [
        (VersionPart, record.version_parts),
        (EventPart, record.event_parts),
    ]
    for kind, refs in named:
        for ref in refs:
            try:
                part = decode_part(read_part(storage, name, ref.key), kind)
                sentence = "" if part.fits(ref) else "this is not as the record says: restore both from a backup"
            except PartMissing:
                sentence = "the package's record names this part, and it is missing: restore it from a backup"
            except DAMAGE_ERRORS as error:
                sentence = damage_of(error)
            if sentence:
                yield CheckFinding(PART.key(name, ref.key), sentence)


def _findings(storage: Storage, name: Name, record: Record) -> Iterator[CheckFinding]:
    """Yields what is wrong with *record*, which names no parts, and with the tarballs."""
    yield from (CheckFinding(RECORD.key(name), sentence) for sentence in _check_record(name, record))
    versions = record.packument["versions"] if record.packument else {}
    for version, entry in record.tarballs.items():
        key = TARBALL.key(name, entry["key"])
        for sentence in _check_tarball(storage, key, entry, versions.get(version, {})):
            yield CheckFinding(key, f"version {version}: {sentence}")


def _check_record(name: Name, record: Record) -> Iterator[str]:
    """Yields a sentence for everything in *record* that contradicts the rest of it."""
    published = _published(record)
    present = record.packument["versions"].keys() if record.packument else frozenset()
    for version in sorted(published - present - record.retired):
        yield f"version {version} was published and is neither there nor retired: its number could be given again"
    if record.packument is None:
        if record.tarballs:
            yield "it is unpublished and still names tarballs"
        return
    versions = record.packument["versions"]
    if record.packument["name"] != str(name):
        yield "its packument has the name of another package"
    for version in sorted(versions.keys() - record.tarballs.keys()):
        yield f"version {version} has no tarball"
    for version in sorted(record.tarballs.keys() - versions.keys()):
        yield f"there is a tarball of {version}, which is no version"
    for version in sorted(record.retired & versions.keys()):
        yield f"version {version} is there and was unpublished"
    yield from _check_tags(record.packument)
    yield from _check_times(record.packument)
    for version, manifest in versions.items():
        yield from _check_manifest(name, version, manifest)
    for version in sorted(versions.keys() - published):
        yield f"no event records that {version} was published"


def _check_tarball(storage: Storage, key: str, entry: Json, manifest: Json) -> Iterator[str]:
    """Yields a sentence for everything that is wrong with a version's bytes, or with its manifest against them.

    *entry* is what the record says of the tarball under *key*.
    """
    try:
        with storage.open(key) as stream:
            data = stream.read(entry["size"] + 1)
    except Missing:
        yield "its tarball is missing"
        return
    except StorageUnavailable as error:
        yield f"its tarball cannot be read: {error.message}"
        return
    found, dist = digests(data), manifest.get("dist", {})
    if len(data) != entry["size"]:
        yield f"its tarball does not have the {entry['size']} bytes that are recorded"
    if dist.get("integrity") != found.integrity:
        yield "its tarball does not have the integrity that is recorded"
    elif dist.get("shasum") != found.shasum:
        yield "its tarball does not have the shasum that is recorded"
    elif difference := manifest_difference(manifest, data):
        yield f"its manifest {difference}"


def _check_tags(packument: Json) -> Iterator[str]:
    tags: Mapping[str, str] = packument["dist-tags"]
    if "latest" not in tags and packument["versions"]:
        yield "there is no dist-tag 'latest'"
    for tag, version in tags.items():
        if version not in packument["versions"]:
            yield f"the dist-tag {tag} names {version}, which is no version"


def _check_times(packument: Json) -> Iterator[str]:
    times: Mapping[str, Any] = packument["time"]
    wanted = packument["versions"].keys() | {"created", "modified"}
    for key in sorted(wanted - times.keys()):
        yield f"there is no time for {key}"
    for key in sorted(times.keys() - wanted):
        yield f"there is a time for {key}, which is no version"


def _check_manifest(name: Name, version: str, manifest: Json) -> Iterator[str]:
    if manifest["name"] != str(name) or manifest["version"] != version:
        yield f"the manifest of {version} is of another package or version"
    if not is_version(version):
        yield f"{version} is no version number"


def _published(record: Record) -> set[str]:
    """The versions that the chain records as published."""
    return {
        str(event.get("version"))
        for event in record.chain
        if isinstance(event, Mapping) and event.get("event") == "package.published"
    }
