"""One version of a package: its manifest, its files, its signatures, and what changed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nproxy_mw.errors import NotFound, NproxyError, PayloadTooLarge
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.comparison import FieldChange, count_changes, field_changes, file_changes
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.releases import Releases, releases_of, unpacked_size, version_before
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.tarball_files import ASKED, AT_ONCE, PackedFile, packed_files
from nproxy_mw.middleware.dashboard.texts import fitting, short
from nproxy_mw.packages.verify import findings

FILES = 100  # on one page
OTHERS = 5_000  # bytes of the versions that one can be compared with on its page
ROOM = 10_000  # bytes of a table of the manifest's members
VALUE = 200  # bytes of one member
REMEMBERED = 2 * 2**20  # bytes of a tarball whose files are remembered
DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies", "devDependencies")
LARGE = "The tarball is large, so its files are not shown unasked."
TOO_LARGE = "The tarball is too large to be opened on a page."
HELD = "The rules hold {version}. An administrator of the organization can look at its files."


def show(request: PageRequest) -> Answer:
    """Returns the page of a version."""
    releases, version = _found(request)
    manifest = releases.manifest(version)
    files, note = _files(request, releases, version)
    dist = manifest["dist"]
    values = {
        "name": str(releases.name),
        "version": version,
        "is_internal": releases.is_internal,
        "is_held": version in releases.held,
        "publisher": _publisher(manifest),
        "deprecated": manifest.get("deprecated") or "",
        "published": releases.published(version),
        "tags": sorted(tag for tag, target in releases.tags.items() if target == version),
        "size": unpacked_size(manifest),
        "file_count": len(files) or dist.get("fileCount"),
        "integrity": dist.get("integrity") or "–",
        "has_provenance": bool(dist.get("attestations")),
        "page": page_of(list(files.values()), request.query.text("page"), FILES),
        "note": note,
        "can_open": note == LARGE,
        "groups": {group: _table(manifest.get(group), ROOM // 2) for group in DEPENDENCIES},
        "scripts": _table(manifest.get("scripts"), ROOM),
        "before": version_before(releases.versions, version),
        "signatures": _signatures(request, releases, version, is_opened=not note),
        "upstream_signatures": releases.signatures(version) if releases.signatures else None,
    }
    return Page("version.html", f"{releases.name}@{version}", values)


def show_changes(request: PageRequest) -> Answer:
    """Returns what changed in a version against the one before it, or against the one that the URL names."""
    releases, version = _found(request)
    before = request.query.text("against") or version_before(releases.versions, version)
    if before not in releases.versions:
        raise NotFound("There is no version before this one to compare it with.", code="version-not-found")
    old, old_note = _files(request, releases, before)
    new, new_note = _files(request, releases, version) if not old_note else ({}, old_note)
    note = old_note or new_note
    fields = list(field_changes(releases.manifest(before), releases.manifest(version)))
    values = {
        "name": str(releases.name),
        "version": version,
        "before": before,
        "is_internal": releases.is_internal,
        "is_held": version in releases.held,
        "others": _others(releases, version, before),
        "fields": fitting(fields, _shown, ROOM),
        "field_number": len(fields),
        "files": [] if note else file_changes(old, new),
        "number": 0 if note else count_changes(old, new),
        "note": note,
        "can_open": note == LARGE,
    }
    return Page("changes.html", f"Changes in {releases.name}@{version}", values)


def _found(request: PageRequest) -> tuple[Releases, str]:
    releases, version = releases_of(request), request.parts["version"]
    if version not in releases.versions:
        raise NotFound("The package has no such version.", code="version-not-found")
    return releases, version


def _files(request: PageRequest, releases: Releases, version: str) -> tuple[Mapping[str, PackedFile], str]:
    """The files of a version's tarball, or a sentence that says why there are none."""
    most = ASKED if request.query.text("open") == "yes" else AT_ONCE
    if version in releases.held and not request.user.manages(request.parts["org"]):
        return {}, HELD.format(version=version)
    if (unpacked_size(releases.manifest(version)) or 0) > most:
        return {}, _large(most)
    try:
        return _unpacked(releases.tarball(version), most), ""
    except PayloadTooLarge:  # its manifest said less, or nothing
        return {}, _large(most)
    except NproxyError as error:
        return {}, error.message


def _large(most: int) -> str:
    return LARGE if most < ASKED else TOO_LARGE


def _unpacked(data: bytes, most: int) -> Mapping[str, PackedFile]:
    return _remembered(data, most) if len(data) <= REMEMBERED else packed_files(data, most)


@lru_cache(maxsize=4)
def _remembered(data: bytes, most: int) -> Mapping[str, PackedFile]:
    return packed_files(data, most)


def _signatures(request: PageRequest, releases: Releases, version: str, *, is_opened: bool) -> list[str] | None:
    """What is wrong with an internal version's signatures and bytes; None when that is not looked at here."""
    if not (releases.is_internal and is_opened):
        return None
    one = {
        "name": str(releases.name),
        "versions": {version: releases.manifest(version)},
        "time": {version: releases.published(version)},
    }
    return list(findings(one, version, releases.tarball(version), request.organization.keys.public_keys()))


def _publisher(manifest: Json) -> str:
    user: Any = manifest.get("_npmUser")
    return str(user.get("name") or "") if isinstance(user, Mapping) else ""


@dataclass(frozen=True, slots=True)
class MemberTable:
    """Members of a manifest by name, as far as a page has room; *total* is how many there are."""

    rows: Sequence[tuple[str, str]] = ()
    total: int = 0


def _table(value: object, room: int) -> MemberTable:
    if not isinstance(value, Mapping):
        return MemberTable()
    rows = sorted((short(str(key), VALUE), short(str(each), VALUE)) for key, each in value.items())
    return MemberTable(fitting(rows, lambda row: row, room), len(rows))


def _others(releases: Releases, version: str, before: str) -> list[str]:
    """The versions that a version can be compared with, the highest first; among them the one that it is."""
    others = [one for one in releases.versions if one != version]
    fits = fitting(others, lambda one: [one], OTHERS)
    return fits if before in fits else [*fits, before]


def _shown(change: FieldChange) -> list[str]:
    return [short(text or "", VALUE) for text in (change.name, change.old, change.new)]
