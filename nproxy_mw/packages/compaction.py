"""When a package's record has grown, what of it goes into parts, and into which. Pure.

The record keeps its latest changes. What is older fills up the newest part, which is written anew until it is full;
then another one begins. So a change writes little, whatever the package's history, and a reader meets few parts. A
change writes one kind of part at most, so that it costs few requests where each costs one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto

import msgspec
from msgspec import Raw, Struct

from nproxy_mw.audit.package_chain import EventPart
from nproxy_mw.copies import replace
from nproxy_mw.json_values import Json
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.version_parts import VersionPart, encoded, pinned, without_versions
from nproxy_mw.storage.parts import PartRef


class PartBounds(Struct, frozen=True):
    """How large a record grows by itself, and how large its parts are. Manifests are counted in bytes, too."""

    own_versions: int = 32
    own_bytes: int = 128 * 1024
    own_events: int = 128
    kept_events: int = 32
    """Events that stay in the record at least."""
    part_versions: int = 256
    part_events: int = 512
    part_bytes: int = 1024 * 1024


BOUNDS = PartBounds()


class Compaction(Enum):
    """What goes into parts."""

    VERSIONS = auto()
    EVENTS = auto()


def to_compact(record: Record, kept: int, bounds: PartBounds) -> Compaction | None:
    """Returns what of *record* is to go into parts, if anything; the last *kept* events stay.

    Versions come first, unless events have waited for long: large manifests are due at every publish.
    """
    too_many = len(record.chain) - max(bounds.own_events, kept)
    if too_many > bounds.own_events:
        return Compaction.EVENTS
    if _has_many_versions(record, bounds):
        return Compaction.VERSIONS
    return Compaction.EVENTS if too_many > 0 else None


def split_last(refs: Sequence[PartRef], full: int, bounds: PartBounds) -> tuple[Sequence[PartRef], Sequence[PartRef]]:
    """Returns *refs* without the last one where it has room, and that one. A part is full with *full* things."""
    if refs and refs[-1].count < full and refs[-1].size < bounds.part_bytes:
        return refs[:-1], refs[-1:]
    return refs, ()


def split_versions(record: Record, newest: VersionPart, bounds: PartBounds) -> tuple[Record, list[VersionPart]]:
    """Returns *record* without the versions that it can do without, and the parts that hold them.

    The first part holds what is in *newest*, too, which it replaces. The record does not name these parts.
    """
    packument = record.packument or {"versions": {}, "time": {}, "dist-tags": {}}
    stays = pinned(packument)
    manifests = {it: Raw(encoded(value)) for it, value in packument["versions"].items() if it != stays}
    versions = {**newest.versions, **manifests}
    times = {**newest.time, **packument["time"]}
    tarballs = {**newest.tarballs, **record.tarballs}
    parts = [
        VersionPart(
            versions={it: versions[it] for it in group},
            time={it: times[it] for it in group if it in times},
            tarballs={it: tarballs[it] for it in group if it in tarballs},
        )
        for group in _groups(versions, bounds)
    ]
    retired = sorted(record.retired.union(newest.retired))
    first, *others = parts or [VersionPart()]
    smaller = replace(
        record,
        packument=record.packument and without_versions(packument, manifests),
        tarballs={it: entry for it, entry in record.tarballs.items() if it not in manifests},
        retired=frozenset(),
    )
    return smaller, [msgspec.structs.replace(first, retired=retired), *others]


def split_events(record: Record, newest: EventPart, kept: int, bounds: PartBounds) -> tuple[Record, list[EventPart]]:
    """Returns *record* with the *kept* last events of its chain, and the parts that hold the others.

    The first part holds what is in *newest*, too, which it replaces. The record does not name these parts.
    """
    old = len(record.chain) - kept
    events = [*newest.chain, *(Raw(encoded(event)) for event in record.chain[:old])]
    full = bounds.part_events
    parts = [EventPart(chain=events[start : start + full]) for start in range(0, len(events), full)]
    return replace(record, chain=record.chain[old:]), parts


def _groups(versions: Mapping[str, Raw], bounds: PartBounds) -> Iterator[Sequence[str]]:
    """Yields the versions of one part after the other."""
    group: list[str] = []
    size = 0
    for version, manifest in versions.items():
        length = len(memoryview(manifest))
        if group and (len(group) == bounds.part_versions or size + length > bounds.part_bytes):
            yield group
            group, size = [], 0
        group.append(version)
        size += length
    if group:
        yield group


def _has_many_versions(record: Record, bounds: PartBounds) -> bool:
    versions: Json = record.packument["versions"] if record.packument else {}
    return (
        len(versions) > bounds.own_versions
        or len(record.retired) > bounds.part_versions
        or (len(versions) > 1 and len(encoded(versions)) > bounds.own_bytes)
    )
