"""What can be wrong with one package: its record by itself, and its tarballs against it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.versions import is_version
from nproxy_mw.packages.record import Record
from nproxy_mw.storage.layout import TARBALL
from nproxy_mw.storage.port import Storage

_PIECE = 1024 * 1024  # bytes


def record_flaws(name: Name, record: Record) -> Iterator[str]:
    """What in *record* contradicts itself."""
    told = _published(record)
    present = record.packument["versions"].keys() if record.packument else frozenset()
    for version in sorted(told - present - record.retired):
        yield f"version {version} was published and is neither there nor burnt: its number could be given again"
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
    yield from _tag_flaws(record.packument)
    yield from _time_flaws(record.packument)
    for version, manifest in versions.items():
        yield from _manifest_flaws(name, version, manifest)
    for version in sorted(versions.keys() - told):
        yield f"no event tells that {version} was published"


def tarball_flaws(storage: Storage, name: Name, entry: Json, dist: Json) -> Iterator[str]:
    """What is wrong with the bytes of a version; *entry* is the record's of its tarball, *dist* the manifest's."""
    sha512, sha1, size = hashlib.sha512(), hashlib.sha1(usedforsecurity=False), 0
    try:
        with storage.open(TARBALL.key(name, entry["key"])) as stream:
            while piece := stream.read(_PIECE):
                sha512.update(piece)
                sha1.update(piece)
                size += len(piece)
    except Missing:
        yield "its tarball is missing"
        return
    except StorageUnavailable as error:
        yield f"its tarball cannot be read: {error.message}"
        return
    if size != entry["size"]:
        yield f"its tarball has {size} bytes instead of {entry['size']}"
    if dist.get("integrity") != f"sha512-{base64.b64encode(sha512.digest()).decode()}":
        yield "its tarball does not have the integrity that is recorded"
    elif dist.get("shasum") != sha1.hexdigest():
        yield "its tarball does not have the shasum that is recorded"


def _tag_flaws(packument: Json) -> Iterator[str]:
    tags: Mapping[str, str] = packument["dist-tags"]
    if "latest" not in tags and packument["versions"]:
        yield "there is no dist-tag 'latest'"
    for tag, version in tags.items():
        if version not in packument["versions"]:
            yield f"the dist-tag {tag} names {version}, which is no version"


def _time_flaws(packument: Json) -> Iterator[str]:
    times: Mapping[str, Any] = packument["time"]
    wanted = packument["versions"].keys() | {"created", "modified"}
    for key in sorted(wanted - times.keys()):
        yield f"there is no time for {key}"
    for key in sorted(times.keys() - wanted):
        yield f"there is a time for {key}, which is no version"


def _manifest_flaws(name: Name, version: str, manifest: Json) -> Iterator[str]:
    if manifest["name"] != str(name) or manifest["version"] != version:
        yield f"the manifest of {version} is of another package or version"
    if not is_version(version):
        yield f"{version} is no version number"


def _published(record: Record) -> set[str]:
    """The versions that the chain tells were published."""
    return {
        str(event.get("version"))
        for event in record.chain
        if isinstance(event, Mapping) and event.get("event") == "package.published"
    }
