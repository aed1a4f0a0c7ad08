"""Packuments as they are stored: JSON mappings that are never changed in place. Each function returns a new one.

Unknown fields survive. What a packument holds: https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from nproxy_mw.errors import BadRequest, Conflict, NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.versions import check_tag, parse_version, precedence_of
from nproxy_mw.times import time_in, timestamp

# What a packument repeats from the manifest that `latest` names.
_HOISTED = ("description", "homepage", "keywords", "repository", "author", "bugs", "license", "contributors")


def add_version(packument: Json | None, name: Name, manifest: Json, tags: Mapping[str, str], now: datetime) -> Json:
    """Returns the packument with a version added, or a new one.

    The first version gets ``latest`` too, whatever its tags: clients cannot add a package without one.

    Raises:
        Conflict: the version is there already, or one that differs in build metadata alone.
    """
    version = str(manifest["version"])
    old: Json = packument or _begun(str(name), version)
    check_free(version, old["versions"])
    stamp = later(old, now)
    return _hoisted(
        {
            **old,
            "dist-tags": {**old["dist-tags"], **tags},
            "versions": {**old["versions"], version: dict(manifest)},
            "time": {"created": stamp, **old["time"], "modified": stamp, version: stamp},
        }
    )


def _begun(name: str, version: str) -> Json:
    return {"_id": name, "name": name, "dist-tags": {"latest": version}, "versions": {}, "time": {}}


def check_free(version: str, taken: Mapping[str, Any] | frozenset[str]) -> None:
    """Passes when no version in *taken* has the precedence of *version*.

    Raises:
        Conflict: one has. npm compares versions without build metadata, so 1.0.0+a would hide 1.0.0.
    """
    if version in taken or precedence_of(version) in map(precedence_of, taken):
        raise Conflict(
            f"You cannot publish over the previously published version {version}: raise the version and publish again.",
            code="version-exists",
        )


def later(packument: Json, now: datetime) -> str:
    """Returns *now* as npm writes it, or a millisecond after the last change when this host's clock is behind.

    Clients take an old ``modified`` for "nothing new": it must move forward on every change. One that names no moment,
    as another program may have left it, is passed over.
    """
    modified = time_in(packument["time"].get("modified"))
    return timestamp(now if modified is None else max(now, modified + timedelta(milliseconds=1)))


def with_tag(packument: Json, tag: str, version: str, now: datetime) -> Json:
    """Returns the packument with *tag* at *version*.

    Raises:
        BadRequest: that is no tag.
        NotFound: there is no such version.
    """
    if version not in packument["versions"]:
        raise NotFound("There is no such version to tag.", code="version-not-found")
    return _hoisted(_changed(packument, now, {"dist-tags": {**packument["dist-tags"], check_tag(tag): version}}))


def without_tag(packument: Json, tag: str, now: datetime) -> Json:
    """Returns the packument without *tag*.

    Raises:
        BadRequest: it is ``latest``, which every package has.
        NotFound: there is no such tag.
    """
    if tag == "latest":
        raise BadRequest("The dist-tag 'latest' cannot be removed: point it at another version instead.")
    if tag not in packument["dist-tags"]:
        raise NotFound("There is no such dist-tag.", code="tag-not-found")
    tags = {key: value for key, value in packument["dist-tags"].items() if key != tag}
    return _changed(packument, now, {"dist-tags": tags})


def with_deprecations(packument: Json, messages: Mapping[str, str], now: datetime) -> Json:
    """Returns the packument with each version's deprecation message set; an empty one removes it."""
    versions = dict(packument["versions"])
    for version, message in messages.items():
        manifest = {key: value for key, value in versions[version].items() if key != "deprecated"}
        versions[version] = {**manifest, "deprecated": message} if message else manifest
    return _changed(packument, now, {"versions": versions})


def without_versions(packument: Json, gone: frozenset[str], now: datetime) -> Json:
    """Returns the packument without some versions, their times and tags.

    ``latest`` moves to the highest version that is left, stable ones first.

    Raises:
        ValueError: nothing would be left; that is an unpublish of the package.
    """
    versions = {key: value for key, value in packument["versions"].items() if key not in gone}
    if not versions:
        raise ValueError("no version would be left")
    tags = {tag: version for tag, version in packument["dist-tags"].items() if version not in gone}
    tags.setdefault("latest", max(versions, key=_stable_first))
    times = {key: value for key, value in packument["time"].items() if key not in gone}
    return _hoisted(_changed({**packument, "time": times}, now, {"versions": versions, "dist-tags": tags}))


def resolve(packument: Json, version_or_tag: str) -> Json:
    """Returns the manifest that a version or a dist-tag names.

    Raises:
        NotFound: there is none.
    """
    version = packument["dist-tags"].get(version_or_tag, version_or_tag)
    manifest: Json | None = packument["versions"].get(version)
    if manifest is None:
        raise NotFound("The package has no such version or dist-tag.", code="version-not-found")
    return manifest


def _changed(packument: Json, now: datetime, change: Json) -> Json:
    return {**packument, **change, "time": {**packument["time"], "modified": later(packument, now)}}


def _hoisted(packument: Json) -> Json:
    latest = packument["versions"].get(packument["dist-tags"].get("latest"), {})
    kept = {key: value for key, value in packument.items() if key not in _HOISTED}
    return {**kept, **{key: latest[key] for key in _HOISTED if key in latest}}


def _stable_first(version: str) -> Any:
    parsed = parse_version(version)
    return parsed.is_stable, parsed.precedence
