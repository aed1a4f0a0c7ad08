"""Versions as semver 2.0.0 and npm read them: ASCII, bounded, and ordered.

New versions are parsed strictly. Some old ones of the public registry are not: `parse_loose` reads them as npm does.

Source: https://semver.org/spec/v2.0.0.html and npm's own semver package, https://github.com/npm/node-semver.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec.structs import force_setattr

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.semver_grammar import LOOSE_VERSION, SPACES, VERSION

MAX_LENGTH = 256
"""Characters of a version."""

MAX_NUMBER = 2**53 - 1
"""Largest number that JavaScript keeps exactly, so the largest that npm accepts."""

Precedence: TypeAlias = tuple[tuple[int, int, int], bool, tuple[tuple[int, float | str], ...]]
"""A sort key of semver section 11: a release is above its prereleases, numbers are below words."""

SortKey: TypeAlias = Precedence | tuple[()]
"""What `sort_key` returns."""

_LOWEST: Precedence = ((0, 0, 0), False, ())

# Longer versions are rare, and one of many identifiers takes up to 18 kB when it is parsed.
_CACHED_LENGTH = 64

_STRICT = re.compile(VERSION)
_PREFIXED = re.compile(f"[{SPACES}]*+v?{VERSION}[{SPACES}]*+")
_LOOSE = re.compile(f"{LOOSE_VERSION}[{SPACES}]*+")


class Version(msgspec.Struct, frozen=True, gc=False):
    """A parsed version. Compare by *precedence*, which follows from the rest; build metadata does not take part in it.

    It is a struct because a packument has thousands, and a data class takes three times as long to make.
    """

    release: tuple[int, int, int]
    prerelease: tuple[str, ...]
    build: tuple[str, ...]
    precedence: Precedence = _LOWEST

    def __post_init__(self) -> None:
        precedence = self.release, not self.prerelease, tuple(map(_rank, self.prerelease))
        force_setattr(self, "precedence", precedence)  # once: versions are sorted by it

    def __str__(self) -> str:
        text = ".".join(map(str, self.release))
        if self.prerelease:
            text += "-" + ".".join(self.prerelease)
        return text + ("+" + ".".join(self.build) if self.build else "")

    @property
    def is_stable(self) -> bool:
        """Whether there is no prerelease part."""
        return not self.prerelease


def _rank(identifier: str) -> tuple[int, float | str]:
    # A JavaScript number: beyond 2**53 npm compares rounded values.
    return (0, float(identifier)) if identifier.isdigit() else (1, identifier)


def parse_version(text: str) -> Version:
    """Parses a strict semver version, without ``v``, spaces or missing parts.

    Raises:
        BadRequest: it is not a version.
    """
    match = _STRICT.fullmatch(text) if len(text) <= MAX_LENGTH else None
    version = _version(match) if match else None
    if version is None:
        raise BadRequest("That is not a version: npm versions are like 1.2.3 or 1.2.3-beta.1.", code="invalid-version")
    if any(part.isdigit() and int(part) > MAX_NUMBER for part in version.prerelease):
        raise BadRequest("A number in that version's prerelease is too large.", code="invalid-version")
    return version


def parse_like_npm(text: str, *, loose: bool = False) -> Version | None:
    """Returns the version that npm's ``semver.parse`` reads in *text*, or None.

    Spaces around it and one ``v`` before it are allowed. *loose* also allows what `parse_loose` describes.
    """
    if len(text) > MAX_LENGTH:
        return None
    return (_cached if len(text) <= _CACHED_LENGTH else _read)(text, loose)


def parse_loose(text: str) -> Version | None:
    """Returns the version that npm reads loosely in *text*, or None.

    The public registry holds such numbers from its first years. ``v`` and ``=`` may stand in front, numbers may have
    leading zeros, and the hyphen before the prerelease may be missing: ``3.0.0rc5`` is 3.0.0-rc5, ``=v01.02.03`` is
    1.2.3. The version is written in its strict form, so keep *text* as the key of a packument.
    """
    return parse_like_npm(text, loose=True)


def sort_key(text: str) -> SortKey:
    """Returns a key that sorts versions in npm's order, strict and loose ones together.

    A text that is no version, even loosely, is below all versions.
    """
    version = parse_loose(text)
    return version.precedence if version else ()


def _read(text: str, loose: bool) -> Version | None:
    match = (_LOOSE if loose else _PREFIXED).fullmatch(text)
    return _version(match) if match else None


_cached = lru_cache(maxsize=8192)(_read)


def _version(match: re.Match[str]) -> Version | None:
    major, minor, patch = int(match[1]), int(match[2]), int(match[3])
    if max(major, minor, patch) > MAX_NUMBER:
        return None
    prerelease = tuple(map(_plain, match[4].split("."))) if match[4] else ()
    return Version((major, minor, patch), prerelease, tuple(match[5].split(".")) if match[5] else ())


def _plain(identifier: str) -> str:
    # Loose versions may have leading zeros here. npm drops those of a number that JavaScript keeps exactly.
    return str(int(identifier)) if identifier.isdigit() and int(identifier) < MAX_NUMBER else identifier


@lru_cache(maxsize=4096)
def precedence_of(text: str) -> Precedence:
    """Returns the sort key of a version, remembered: a publish compares its number with every one that was ever given.

    Raises:
        BadRequest: it is not a version.
    """
    return parse_version(text).precedence


def is_version(text: str) -> bool:
    """Whether *text* is a strict semver version."""
    try:
        parse_version(text)
    except BadRequest:
        return False
    return True


# What npm's semver reads as a range, of what the characters of a tag can spell: v1, 1.x, ~2, 1.2.3-beta.
_X = r"(?:[0-9]+|[xX])"
_RANGE_LIKE = re.compile(rf"~?v*{_X}(?:\.{_X}(?:\.{_X}(?:-?[0-9A-Za-z.-]+)?)?)?", re.ASCII)
# Without '*', which semver skips over wherever it stands before a version: '*1.2.3' is a range.
# JavaScript gives the first a meaning of its own; the second would make an answer of dist-tags look like an error.
_RESERVED_TAGS = frozenset({"__proto__", "error"})
_TAG = re.compile(r"[A-Za-z0-9_~!'()-][A-Za-z0-9._~!'()-]*", re.ASCII)


def check_tag(text: str) -> str:
    """Returns *text* when it can be a dist-tag.

    Raises:
        BadRequest: it would be read as a version or a range (npm: "Tag name must not be a valid SemVer range"), cannot
            stand in a URL path, or is a name that clients read as something else.
    """
    if len(text) > MAX_LENGTH or not _TAG.fullmatch(text) or text in _RESERVED_TAGS:
        raise BadRequest("That is not a dist-tag: use letters, digits, '-', '_' and '.'.", code="invalid-tag")
    if _RANGE_LIKE.fullmatch(text):
        raise BadRequest(
            "A dist-tag must not look like a version or a range: npm could not tell them apart.",
            code="invalid-tag",
        )
    return text
