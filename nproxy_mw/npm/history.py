"""Reads the `History` of a package from its split packument: each fact by itself, whatever its neighbors hold. Pure.

Old packuments are loose: dependencies that are a list, a ``scripts`` that is a string, a time that is not a time. A
value whose type differs from npm's documentation counts as absent and does not affect the other facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Raw

from nproxy_mw.npm.facts import INSTALL_SCRIPTS, NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History, Release
from nproxy_mw.npm.slices import (
    ABSENT,
    Members,
    Packument,
    as_count,
    as_text,
    as_time,
    fields_of,
    list_of,
    members_of,
    scripts_of,
)

_KEPT_SCRIPTS = (*INSTALL_SCRIPTS, "prepare")
_NOT_VERSIONS = frozenset({"created", "modified", "unpublished"})
_FALSY = (b"null", b"false", b'""', b"0")  # what JavaScript takes for false


class _Dist(msgspec.Struct, gc=False):
    integrity: Raw = ABSENT
    unpackedSize: Raw = ABSENT  # noqa: N815 - npm's names
    fileCount: Raw = ABSENT  # noqa: N815
    attestations: Raw = ABSENT


class _User(msgspec.Struct, gc=False):
    name: Raw = ABSENT
    approver: Raw = ABSENT
    trustedPublisher: Raw = ABSENT  # noqa: N815


class _Attestations(msgspec.Struct, gc=False):
    provenance: Raw = ABSENT


_DIST, _USER = msgspec.json.Decoder(_Dist), msgspec.json.Decoder(_User)
_ATTESTATIONS = msgspec.json.Decoder(_Attestations)
_STRINGS = msgspec.json.Decoder(dict[str, str])
_NO_DIST, _NO_USER, _NO_ATTESTATIONS = _Dist(), _User(), _Attestations()


def read_history(packument: Packument) -> History:
    """Returns the releases of a package as *packument* describes them."""
    times = {key: as_time(raw) for key, raw in members_of(packument.members.get("time")).items()}
    dated = [time for key, time in times.items() if time and key not in _NOT_VERSIONS]
    versions = packument.versions
    dists = {version: fields_of(_DIST, manifest["dist"], _NO_DIST) for version, manifest in versions.items()}
    tells = any("_npmUser" in manifest for manifest in versions.values()) or any(
        dist.attestations is not ABSENT for dist in dists.values()
    )
    alike: dict[bytes, Mapping[str, str]] = {}
    return History(
        name=packument.name,
        releases=tuple(
            _release(version, manifest, dists[version], times.get(version), alike, tells=tells)
            for version, manifest in versions.items()
        ),
        tags=packument.tags,
        created=times.get("created") or min(dated, default=None),
        modified=times.get("modified"),
        removed=frozenset(times.keys() - versions.keys() - _NOT_VERSIONS),
        maintainers=tuple(name for raw in list_of(packument.members.get("maintainers")) if (name := _person(raw))),
    )


def _release(
    version: str,
    manifest: Members,
    dist: _Dist,
    published: datetime | None,
    alike: dict[bytes, Mapping[str, str]],
    *,
    tells: bool,
) -> Release:
    user, scripts = fields_of(_USER, manifest.get("_npmUser"), _NO_USER), scripts_of(manifest)
    return Release(
        version=version,
        published=published,
        dependencies=_strings(manifest.get("dependencies"), alike),
        optional_dependencies=_strings(manifest.get("optionalDependencies"), alike),
        scripts={name: text for name in _KEPT_SCRIPTS if (text := as_text(getattr(scripts, name)))},
        gypfile=_is_true(manifest.get("gypfile", ABSENT)),
        publisher=as_text(user.name),
        evidence=_evidence(dist, user) if tells else None,
        integrity=as_text(dist.integrity),
        unpacked_size=as_count(dist.unpackedSize),
        file_count=as_count(dist.fileCount),
        deprecated=_is_true(manifest.get("deprecated", ABSENT)),
    )


def _evidence(dist: _Dist, user: _User) -> int:
    # The ranks of pnpm's trust policy (pnpm 11, resolving/npm-resolver).
    provenance = _is_true(fields_of(_ATTESTATIONS, dist.attestations, _NO_ATTESTATIONS).provenance)
    if _is_true(user.approver):
        return STAGED
    if provenance and _is_true(user.trustedPublisher):
        return TRUSTED_PUBLISHER
    return PROVENANCE if provenance else NO_EVIDENCE


def _strings(raw: Raw | None, alike: dict[bytes, Mapping[str, str]]) -> Mapping[str, str]:
    """Returns the members of an object that are strings.

    Many versions have the same dependencies: *alike* has the objects that were read, so that each is one value.
    """
    if raw is None:
        return {}
    key = bytes(raw)
    found = alike.get(key)
    if found is None:
        found = alike[key] = _read_strings(raw)
    return found


def _read_strings(raw: Raw) -> Mapping[str, str]:
    try:
        return _STRINGS.decode(raw)
    except msgspec.ValidationError:
        return {key: text for key, value in members_of(raw).items() if (text := as_text(value)) is not None}


def _person(raw: Raw) -> str | None:
    """Returns the name of a maintainer, given as ``{"name": ...}`` or as ``"name <address>"``."""
    return as_text(members_of(raw).get("name")) or (as_text(raw) or "").partition("<")[0].strip() or None


def _is_true(raw: Raw) -> bool:
    return raw is not ABSENT and bytes(raw) not in _FALSY
