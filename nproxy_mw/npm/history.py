"""Reads the `History` of a package from its split packument: each fact by itself, whatever its neighbors hold. Pure.

Old packuments are loose: dependencies that are a list, a ``scripts`` that is a string, a time that is not a time. A
value whose type differs from npm's documentation counts as absent and does not affect the other facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw

from nproxy_mw.npm.facts import INSTALL_SCRIPTS, NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History, Release
from nproxy_mw.npm.once import Once
from nproxy_mw.npm.scripts import scripts_in
from nproxy_mw.npm.slices import (
    ABSENT,
    UNREADABLE,
    Members,
    Packument,
    as_count,
    as_text,
    as_time,
    fields_of,
    list_of,
    members_of,
)
from nproxy_mw.times import times_in

T = TypeVar("T")

_KEPT_SCRIPTS = (*INSTALL_SCRIPTS, "prepare")
_NOT_VERSIONS = frozenset({"created", "modified", "unpublished"})
_FALSY = (b"null", b"false", b'""', b"0")  # what JavaScript takes for false


class Dist(msgspec.Struct, gc=False):
    """What facts are read of a manifest's ``dist``."""

    integrity: str | None = None
    unpackedSize: int | None = None  # noqa: N815 - npm's names
    fileCount: int | None = None  # noqa: N815
    attestations: Raw = ABSENT


class _LooseDist(msgspec.Struct, gc=False):
    integrity: Raw = ABSENT
    unpackedSize: Raw = ABSENT  # noqa: N815
    fileCount: Raw = ABSENT  # noqa: N815
    attestations: Raw = ABSENT


class Described(msgspec.Struct, gc=False):
    """The members of a manifest that facts are read from; the others are passed over."""

    dist: Dist
    dependencies: Raw = ABSENT
    optionalDependencies: Raw = ABSENT  # noqa: N815
    scripts: Raw = ABSENT
    gypfile: Raw = ABSENT
    deprecated: Raw = ABSENT
    publisher: Raw = msgspec.field(default=ABSENT, name="_npmUser")


class _User(msgspec.Struct, gc=False):
    name: Raw = ABSENT
    approver: Raw = ABSENT
    trustedPublisher: Raw = ABSENT  # noqa: N815


class _Attestations(msgspec.Struct, gc=False):
    provenance: Raw = ABSENT


class _Person(msgspec.Struct, frozen=True, gc=False):
    """Who published a version, and how well that is vouched for."""

    name: str | None = None
    is_staged: bool = False
    is_trusted: bool = False


_DIST, _LOOSE_DIST = msgspec.json.Decoder(Dist), msgspec.json.Decoder(_LooseDist)
_USER, _ATTESTATIONS = msgspec.json.Decoder(_User), msgspec.json.Decoder(_Attestations)
_STRINGS = msgspec.json.Decoder(dict[str, str])
_NOTHING: Mapping[str, str] = {}
_NO_DIST, _NO_USER, _NO_ATTESTATIONS, _NOBODY = _LooseDist(), _User(), _Attestations(), _Person()


def read_history(packument: Packument) -> History:
    """Returns the releases of a package as *packument* describes them."""
    return history_of(packument, {version: _described(one) for version, one in packument.versions.items()})


def history_of(packument: Packument, versions: Mapping[str, Described]) -> History:
    """Returns the releases that *versions* are, and what *packument* says above its versions."""
    times = _times(packument.members.get("time"))
    dated = [time for key, time in times.items() if time and key not in _NOT_VERSIONS]
    tells = any(one.publisher is not ABSENT or one.dist.attestations is not ABSENT for one in versions.values())
    read = _Reading(tells=tells)
    return History(
        name=packument.name,
        releases=tuple(read.release(version, one, times.get(version)) for version, one in versions.items()),
        tags=packument.tags,
        created=times.get("created") or min(dated, default=None),
        modified=times.get("modified"),
        removed=frozenset(times.keys() - versions.keys() - _NOT_VERSIONS),
        maintainers=tuple(name for raw in list_of(packument.members.get("maintainers")) if (name := _person(raw))),
    )


class _Reading:
    """Reads releases. Many versions have equal fields: each text is read once, and gives one value.

    *tells* is whether the packument has the fields that evidence is read from.
    """

    def __init__(self, *, tells: bool) -> None:
        self._tells = tells
        self._strings = Once(_read_strings, _NOTHING)
        self._scripts = Once(_read_scripts, _NOTHING)
        self._publisher = Once(_read_publisher, _NOBODY)

    def release(self, version: str, one: Described, published: datetime | None) -> Release:
        """Returns the release that *one* describes."""
        dist, publisher = one.dist, self._publisher[bytes(one.publisher)]
        return Release(
            version=version,
            published=published,
            dependencies=self._strings[bytes(one.dependencies)],
            optional_dependencies=self._strings[bytes(one.optionalDependencies)],
            scripts=self._scripts[bytes(one.scripts)],
            gypfile=one.gypfile is not ABSENT and _is_true(one.gypfile),
            publisher=publisher.name,
            evidence=_evidence(dist, publisher) if self._tells else None,
            integrity=dist.integrity or _given(dist.integrity),
            unpacked_size=dist.unpackedSize or _given(dist.unpackedSize),
            file_count=dist.fileCount or _given(dist.fileCount),
            deprecated=one.deprecated is not ABSENT and _is_true(one.deprecated),
        )


def _given(value: T) -> T | None:
    return None if value is UNSET else value


def _times(raw: Raw | None) -> dict[str, datetime | None]:
    try:
        texts = {} if raw is None else _STRINGS.decode(raw)
    except UNREADABLE:
        return {key: as_time(value) for key, value in members_of(raw).items()}
    return times_in(texts)


def _described(manifest: Members) -> Described:
    get = manifest.get
    return Described(
        _dist(manifest["dist"]),
        get("dependencies", ABSENT),
        get("optionalDependencies", ABSENT),
        get("scripts", ABSENT),
        get("gypfile", ABSENT),
        get("deprecated", ABSENT),
        get("_npmUser", ABSENT),
    )


def _dist(raw: Raw) -> Dist:
    try:
        return _DIST.decode(raw)
    except UNREADABLE:
        loose = fields_of(_LOOSE_DIST, raw, _NO_DIST)
        sizes = as_count(loose.unpackedSize), as_count(loose.fileCount)
        return Dist(as_text(loose.integrity), *sizes, loose.attestations)


def _read_scripts(raw: Raw) -> Mapping[str, str]:
    scripts = scripts_in(raw)
    return {name: text for name in _KEPT_SCRIPTS if (text := as_text(getattr(scripts, name)))}


def _read_publisher(raw: Raw) -> _Person:
    user = fields_of(_USER, raw, _NO_USER)
    return _Person(as_text(user.name), _is_true(user.approver), _is_true(user.trustedPublisher))


def _evidence(dist: Dist, publisher: _Person) -> int:
    # The ranks of pnpm's trust policy (pnpm 11, resolving/npm-resolver).
    if publisher.is_staged:
        return STAGED
    if dist.attestations is ABSENT or not _is_true(
        fields_of(_ATTESTATIONS, dist.attestations, _NO_ATTESTATIONS).provenance
    ):
        return NO_EVIDENCE
    return TRUSTED_PUBLISHER if publisher.is_trusted else PROVENANCE


def _read_strings(raw: Raw) -> Mapping[str, str]:
    try:
        return _STRINGS.decode(raw)
    except UNREADABLE:
        return {key: text for key, value in members_of(raw).items() if (text := as_text(value)) is not None}


def _person(raw: Raw) -> str | None:
    """Returns the name of a maintainer, given as ``{"name": ...}`` or as ``"name <address>"``."""
    return as_text(members_of(raw).get("name")) or (as_text(raw) or "").partition("<")[0].strip() or None


def _is_true(raw: Raw) -> bool:
    return raw is not ABSENT and bytes(raw) not in _FALSY
