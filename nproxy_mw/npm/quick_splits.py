"""Packuments that are split with fewer looks at them: the large ones, and those of which one version is wanted. Pure.

The results are those of `nproxy_mw.npm.slices.split`, and so are the errors. Given is what
`nproxy_mw.npm.slices.readable` returned.
"""

from __future__ import annotations

import re
import secrets

import msgspec
from msgspec import Raw

from nproxy_mw.npm.slices import (
    MEMBERS,
    VERSIONS,
    Members,
    Packument,
    as_raw,
    checked,
    is_nameable,
    joined,
    members_in,
    split,
)

LARGE = 2**20
"""Bytes from which it pays to look for the versions."""

_VERSIONS_KEY, _TIME_KEY = re.compile(rb'"versions"\s*:\s*'), b'"time":'
_MARK = b'{"%b":0}' % secrets.token_hex(16).encode()
_HEAD = 64 * 1024  # bytes that may stand before the versions


class _Versions(msgspec.Struct, gc=False):
    versions: dict[str, Raw] = {}


_UNBUILT_VERSIONS = msgspec.json.Decoder(_Versions)


def packument_of(text: bytes, name: str) -> Packument:
    """Splits the packument of the package *name*, in one pass where that works."""
    cut = _cut(text) if len(text) >= LARGE else None
    return split(members_in(text), name) if cut is None else joined(*cut, name)


def manifest_of(text: bytes, name: str, version: str) -> Members | None:
    """Returns what the packument of the package *name* says of *version*; None when it does not have it.

    Nothing is built of the other versions, nor is anything said of them.
    """
    try:
        manifest = _UNBUILT_VERSIONS.decode(text).versions.get(version) if is_nameable(version) else None
        return None if manifest is None else checked(MEMBERS.decode(manifest), as_raw(name), version)
    except (msgspec.DecodeError, RecursionError):
        return split(members_in(text), name).versions.get(version)


def _cut(text: bytes) -> tuple[dict[str, Raw], dict[str, dict[str, Raw]]] | None:
    """Returns the members of a packument but ``versions``, and those; None where the two cannot be told apart this way.

    The versions are nearly all of a large packument, and public registries write ``time`` after them. What lies
    between is taken for them, and the rest is read with a mark in its place. The place was right if what was between is
    an object, and if the member ``versions`` of the rest is the mark, which nobody can know.
    """
    begin, behind = _VERSIONS_KEY.search(text, 0, _HEAD), text.rfind(_TIME_KEY)
    end = text.rfind(b"}", 0, behind) + 1
    if begin is None or behind < 0 or end <= begin.end():
        return None
    try:
        members = MEMBERS.decode(b"".join((text[: begin.end()], _MARK, text[end:])))
        if members.pop("versions", None) != Raw(_MARK):
            return None
        return members, VERSIONS.decode(memoryview(text)[begin.end() : end])
    except (msgspec.DecodeError, RecursionError):
        return None
