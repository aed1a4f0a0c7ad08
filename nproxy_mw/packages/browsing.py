"""A package as people browse it: of thousands of versions, those that are looked at are decoded, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw, Struct

from nproxy_mw.json_values import Json
from nproxy_mw.npm.versions import sort_key
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.version_parts import VersionPart


class BrowsedPackage(Struct, frozen=True, dict=True):
    """The package of *record*, with the versions in *parts*, and *events* of its chain as raw JSON, oldest first."""

    record: Record
    parts: Sequence[VersionPart]
    events: Sequence[Raw]

    @property
    def members(self) -> Json:
        """The packument's members. Of its versions and times there are only a few: ask the methods for one."""
        return self.record.packument or {}

    @property
    def tags(self) -> Mapping[str, str]:
        """The dist-tags."""
        tags: Mapping[str, str] = self.members["dist-tags"]
        return tags

    @cached_property
    def versions(self) -> Sequence[str]:
        """All version numbers, the highest first."""
        return _highest_first((*self.members["versions"], *(one for part in self.parts for one in part.versions)))

    def manifest(self, version: str) -> Json:
        """Returns the manifest of *version*. Raises `KeyError` when there is no such version."""
        own: Mapping[str, Json] = self.members["versions"]
        if version in own:
            return own[version]
        raw = next((part.versions[version] for part in self.parts if version in part.versions), None)
        if raw is None:
            raise KeyError(version)
        manifest: Json = msgspec.json.decode(raw)
        return manifest

    def published(self, version: str) -> str:
        """Returns when *version* was published; empty when that is not known."""
        times = (self.members["time"], *(part.time for part in self.parts))
        return str(next((time[version] for time in times if version in time), ""))

    def events_of(self, kind: str) -> list[dict[str, Any]]:
        """Returns the package's events of one kind, oldest first."""
        # Of ten thousand events a few are of the kind: the others are not decoded.
        mark = f'"{kind}"'.encode()
        raw = (msgspec.json.decode(one) for one in self.events if mark in bytes(one))
        return [event for event in (*raw, *self.record.chain) if event.get("event") == kind]

    def newest_events(self, number: int) -> Iterator[dict[str, Any]]:
        """Yields the last *number* events, the newest first."""
        own = self.record.chain[-number:]
        yield from map(dict, reversed(own))
        yield from map(msgspec.json.decode, islice(reversed(self.events), number - len(own)))


@lru_cache(maxsize=64)
def _highest_first(versions: tuple[str, ...]) -> Sequence[str]:
    return sorted(versions, key=sort_key, reverse=True)
