"""Versions that a package's record has grown out of: what a part holds of them, and how both are put together. Pure.

A publish must know whether its number is free, without reading what was published before. So a record names each part
with the numbers it holds, each shortened to 24 bits of its SHA-256: a publish reads a part only when one of these is
the same, which is nearly always because the number is taken.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct, field

from nproxy_mw.copies import replace
from nproxy_mw.json_values import Json
from nproxy_mw.packages.record import Record, bytes_of
from nproxy_mw.storage.parts import PartRef, StoredPart

_WIDTH = 4  # characters of a shortened number


class VersionPart(StoredPart, frozen=True, kw_only=True):
    """Manifests, times and tarballs by version, and the numbers of versions that were unpublished.

    Its members are named as in a record.
    """

    versions: dict[str, Raw] = field(default_factory=dict)
    time: dict[str, Any] = field(default_factory=dict)
    tarballs: dict[str, Any] = field(default_factory=dict)
    retired: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many versions it holds; those that were unpublished do not count."""
        return len(self.versions)

    @property
    def numbers(self) -> str:
        """All its version numbers, shortened: see `holding`."""
        return "".join(sorted(map(_shortened, {*self.versions, *self.tarballs, *self.retired})))

    @property
    def tarball_bytes(self) -> int:
        """How many bytes the tarballs of its versions have."""
        return bytes_of(self.tarballs)


encoded = msgspec.json.Encoder().encode
"""Returns a value as JSON. Raw JSON in it stays as it is."""

_decode = msgspec.json.Decoder().decode


def holding(*versions: str) -> Callable[[PartRef], bool]:
    """Tells which parts may hold one of *versions*, or one that differs in build metadata alone. A no is certain."""
    wanted = set(map(_shortened, versions))
    return lambda ref: any(_is_among(ref.numbers, number) for number in wanted)


def _is_among(numbers: str, number: str) -> bool:
    place = numbers.find(number)
    while place % _WIDTH and place >= 0:
        place = numbers.find(number, place + 1)
    return place >= 0


def _shortened(version: str) -> str:
    number = version.partition("+")[0]  # as npm compares versions
    return base64.b64encode(hashlib.sha256(number.encode()).digest()[:3]).decode()


PublishedVersion: TypeAlias = tuple[Json, Json]
"""How a version's tarball is stored, ``{"key", "size"}``, and its manifest."""


class LoadedPart(Struct, frozen=True, dict=True):
    """A part as it was read, and how the record names it."""

    ref: PartRef
    content: VersionPart

    @cached_property
    def manifests(self) -> Mapping[str, Json]:
        """The manifests, decoded once, so that it shows which of them a change leaves as they are."""
        return {version: _decode(raw) for version, raw in self.content.versions.items()}

    def release(self, version: str) -> PublishedVersion | None:
        """Returns what the part holds of *version*, if anything."""
        entry, manifest = self.content.tarballs.get(version), self.content.versions.get(version)
        return None if entry is None or manifest is None else (entry, _decode(manifest))


def merged(record: Record, loaded: Sequence[LoadedPart]) -> Record:
    """Returns *record* with the versions in some of its parts as its own, oldest first."""
    if not loaded:
        return record
    parts, refs = [it.content for it in loaded], {it.ref for it in loaded}
    packument = record.packument
    return replace(
        record,
        packument=packument and _whole(packument, [it.manifests for it in loaded], parts),
        tarballs=_united([*(part.tarballs for part in parts), record.tarballs]),
        retired=record.retired.union(*(part.retired for part in parts)),
        version_parts=tuple(ref for ref in record.version_parts if ref not in refs),
    )


def separated(record: Record, loaded: Iterable[LoadedPart]) -> Record:
    """Returns *record*, which `merged` made and a change altered, with those of the parts that are as they were."""
    kept = [it for it in loaded if _is_unchanged(record, it)]
    if not kept:
        return record
    gone = {version for it in kept for version in (*it.content.versions, *it.content.tarballs, *it.content.retired)}
    return replace(
        record,
        packument=record.packument and without_versions(record.packument, gone),
        tarballs=_without(record.tarballs, gone),
        retired=record.retired - gone,
        version_parts=(*record.version_parts, *(it.ref for it in kept)),
    )


def pinned(packument: Json) -> str | None:
    """Returns the version that stays in the record: what most readers ask for."""
    versions, latest = packument["versions"], packument["dist-tags"].get("latest")
    return latest if latest in versions else next(reversed(versions), None)


def written_packument(record: Record, parts: Sequence[VersionPart], **more: Any) -> bytes:
    """Returns the JSON of the packument with the versions in *parts* in it, and with the members *more*."""
    packument: Json = record.packument or {}
    if parts:
        packument = _whole(packument, [part.versions for part in parts], parts)
    return encoded({**packument, **more})


def without_versions(packument: Json, gone: Container[str]) -> Json:
    """Returns *packument* without some versions and their times."""
    return {
        **packument,
        "versions": _without(packument["versions"], gone),
        "time": _without(packument["time"], gone),
    }


def _whole(packument: Json, manifests: Sequence[Mapping[str, Any]], parts: Sequence[VersionPart]) -> Json:
    """Returns *packument* with the *manifests* and times of *parts* in it, in the order of time."""
    versions = _united([*manifests, packument["versions"]])
    times = _united([*(part.time for part in parts), packument["time"]])
    return {
        **packument,
        "versions": {it: versions[it] for it in sorted(versions, key=lambda it: str(times.get(it, "")))},
        "time": dict(sorted(times.items(), key=_times_in_order)),
    }


def _times_in_order(item: tuple[str, Any]) -> tuple[bool, str]:
    return item[0] not in ("created", "modified"), str(item[1])


def _is_unchanged(record: Record, part: LoadedPart) -> bool:
    """Whether a change left everything in *part* as it was, and did not pin a version of it."""
    versions: Json = record.packument["versions"] if record.packument else {}
    return (
        all(versions.get(version) is manifest for version, manifest in part.manifests.items())
        and record.retired.issuperset(part.content.retired)
        and not (record.packument and pinned(record.packument) in part.content.versions)
    )


def _united(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    united: dict[str, Any] = {}
    for mapping in mappings:
        united.update(mapping)
    return united


def _without(mapping: Mapping[str, Any], gone: Container[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in gone}
