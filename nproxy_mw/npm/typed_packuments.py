"""Packuments that are read by type: what nobody asked for is passed over by the decoder, and never built. Pure.

Most of a packument is of no interest to who reads it. Slices of everything (`nproxy_mw.npm.slices`) take several times
as long to make as the few members that are wanted. So the text is read once, by a decoder that knows these. Packuments
that need a closer look are not read this way at all: their reader splits them, and finds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec import Raw

from nproxy_mw.npm.slices import ABSENT, Packument, are_nameable, joined


class Named(Protocol):
    """A manifest that says what it is of."""

    name: str
    version: str


M = TypeVar("M", bound=Named)


class TypedPackument(msgspec.Struct, Generic[M], gc=False):
    """A packument with manifests of a type, and what may be asked of it above them."""

    versions: dict[str, M]
    id: Raw = msgspec.field(default=ABSENT, name="_id")
    name: Raw = ABSENT
    tags: Raw = msgspec.field(default=ABSENT, name="dist-tags")
    time: Raw = ABSENT
    modified: Raw = ABSENT
    maintainers: Raw = ABSENT
    restrictions: Raw = msgspec.field(default=ABSENT, name="policyRestrictions")
    staged: Raw = msgspec.field(default=ABSENT, name="stagedVersions")

    def above(self) -> dict[str, Raw]:
        """Returns the members that are there, without the versions."""
        members = zip(self.__struct_encode_fields__, msgspec.structs.astuple(self), strict=True)
        return {name: raw for name, raw in members if name != "versions" and raw is not ABSENT}


def read_by_type(
    decoder: msgspec.json.Decoder[TypedPackument[M]], text: bytes, name: str
) -> tuple[Packument, Mapping[str, M]] | None:
    """Returns the packument of the package *name* without its versions, and those; None where that is not possible.

    *text* is what `nproxy_mw.npm.slices.readable` returned. Raises as `nproxy_mw.npm.slices.split`.
    """
    try:
        whole = decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    packument = joined(whole.above(), {}, name)
    return (packument, whole.versions) if _are_as_filed(whole.versions, name) else None


def _are_as_filed(versions: Mapping[str, Named], name: str) -> bool:
    """Whether all versions say themselves what they are filed under: splitting would neither refuse nor drop one."""
    return are_nameable(versions) and all(
        one.version == version and one.name == name for version, one in versions.items()
    )
