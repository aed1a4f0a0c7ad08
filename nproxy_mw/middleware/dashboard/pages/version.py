"""One version of an internal package: its manifest, its files, its signatures, and what changed in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.comparison import count_changes, field_changes, file_changes
from nproxy_mw.middleware.dashboard.paging import page_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.tarball_files import ASKED, AT_ONCE, PackedFile, packed_files
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import sort_key
from nproxy_mw.packages.verify import findings

FILES = 100  # on one page
DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies", "devDependencies")
LARGE = "The tarball is large, so its files are not shown unasked."
TOO_LARGE = "The tarball is too large to be opened on a page."


def show(request: PageRequest) -> Answer:
    """Returns the page of a version."""
    name, version, packument = _found(request)
    manifest = packument["versions"][version]
    files, note = _files(request, name, version, manifest)
    values = {
        "name": str(name),
        "version": version,
        "manifest": manifest,
        "published": packument["time"].get(version, ""),
        "tags": sorted(tag for tag, target in packument["dist-tags"].items() if target == version),
        "page": page_of(list(files.values()), request.query.text("page"), FILES),
        "note": note,
        "can_open": note == LARGE,
        "groups": {group: _sorted(manifest.get(group)) for group in DEPENDENCIES if manifest.get(group)},
        "scripts": _sorted(manifest.get("scripts")),
        "before": _before(packument, version),
        "signatures": _signatures(request, name, version, packument),
    }
    return Page("version.html", f"{name}@{version}", values)


def show_changes(request: PageRequest) -> Answer:
    """Returns what changed in a version against the one before it, or against the one that the URL names."""
    name, version, packument = _found(request)
    before = request.query.text("against") or _before(packument, version)
    if before not in packument["versions"]:
        raise NotFound("There is no version before this one to compare it with.", code="version-not-found")
    manifests = packument["versions"]
    old, old_note = _files(request, name, before, manifests[before])
    new, new_note = _files(request, name, version, manifests[version])
    note = old_note or new_note
    values = {
        "name": str(name),
        "version": version,
        "before": before,
        "others": [one for one in _descending(packument) if one != version][:200],
        "fields": list(field_changes(packument["versions"][before], packument["versions"][version]))[:200],
        "files": [] if note else file_changes(old, new),
        "number": 0 if note else count_changes(old, new),
        "note": note,
        "can_open": note == LARGE,
    }
    return Page("changes.html", f"Changes in {name}@{version}", values)


def _found(request: PageRequest) -> tuple[Name, str, Json]:
    name, version = parse_name(request.parts["package"]), request.parts["version"]
    packument, _ = request.organization.packages.read(name)
    if version not in packument["versions"]:
        raise NotFound("The package has no such version.", code="version-not-found")
    return name, version, packument


def _descending(packument: Json) -> list[str]:
    return sorted(packument["versions"], key=sort_key, reverse=True)


def _before(packument: Json, version: str) -> str:
    """The version right below *version*, or an empty text."""
    below = [one for one in packument["versions"] if sort_key(one) < sort_key(version)]
    return max(below, key=sort_key, default="")


def _files(request: PageRequest, name: Name, version: str, manifest: Json) -> tuple[Mapping[str, PackedFile], str]:
    """The files of a version's tarball, or a sentence that says why there are none."""
    if note := _too_large(request, manifest):
        return {}, note
    opened = request.organization.packages.open_tarball(name, name.tarball(version))
    with opened.stream as stream:
        data = stream.read()
    try:
        return _unpacked(data), ""
    except BadRequest as error:
        return {}, error.message


def _too_large(request: PageRequest, manifest: Json) -> str:
    """A sentence when a tarball is too large to be opened for this request."""
    size = manifest["dist"].get("unpackedSize")
    if not isinstance(size, int) or size > ASKED:
        return TOO_LARGE
    return LARGE if size > AT_ONCE and request.query.text("open") != "yes" else ""


@lru_cache(maxsize=4)
def _unpacked(data: bytes) -> Mapping[str, PackedFile]:
    return packed_files(data)


def _signatures(request: PageRequest, name: Name, version: str, packument: Json) -> list[str] | None:
    """What is wrong with a version's signatures and bytes; None when it is too large to be looked at here."""
    if _too_large(request, packument["versions"][version]):
        return None
    organization = request.organization
    opened = organization.packages.open_tarball(name, name.tarball(version))
    with opened.stream as stream:
        return list(findings(packument, version, stream.read(), organization.keys.public_keys()))


def _sorted(value: object) -> list[tuple[str, str]]:
    return sorted((str(key), str(each)) for key, each in value.items()) if isinstance(value, Mapping) else []
