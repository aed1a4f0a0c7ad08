"""Versions as semver 2.0.0 and npm read them: strict, ASCII, bounded, and ordered.

Source: https://semver.org/spec/v2.0.0.html and the limits of npm's own semver package (256 characters, numbers
up to 2**53 - 1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nproxy_mw.errors import BadRequest

MAX_LENGTH = 256
"""Characters of a version."""

MAX_NUMBER = 2**53 - 1
"""Largest number that JavaScript keeps exactly, so the largest that npm accepts."""

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)
# What npm's semver reads as a range, of what the characters of a tag can spell: v1, 1.x, ~2, 1.2.3-beta.
_X = r"(?:[0-9]+|[xX])"
_RANGE_LIKE = re.compile(rf"~?v*{_X}(?:\.{_X}(?:\.{_X}(?:-?[0-9A-Za-z.-]+)?)?)?", re.ASCII)
# Without '*', which semver skips over wherever it stands before a version: '*1.2.3' is a range.
# JavaScript gives the first a meaning of its own; the second would make an answer of dist-tags look like an error.
_RESERVED_TAGS = frozenset({"__proto__", "error"})
_TAG = re.compile(r"[A-Za-z0-9_~!'()-][A-Za-z0-9._~!'()-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """A parsed version. Compare by `precedence`; build metadata does not take part in it."""

    release: tuple[int, int, int]
    prerelease: tuple[str, ...]
    build: tuple[str, ...]

    def __str__(self) -> str:
        text = ".".join(map(str, self.release))
        if self.prerelease:
            text += "-" + ".".join(self.prerelease)
        return text + ("+" + ".".join(self.build) if self.build else "")

    @property
    def is_stable(self) -> bool:
        """Whether there is no prerelease part."""
        return not self.prerelease

    @property
    def precedence(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """Sort key of semver section 11: a release is above its prereleases, numbers are below words."""
        identifiers = tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.prerelease)
        return self.release, self.is_stable, identifiers


def parse_version(text: str) -> Version:
    """Parses a strict semver version, without ``v``, spaces or missing parts.

    Raises:
        BadRequest: it is not a version.
    """
    match = _VERSION.fullmatch(text) if len(text) <= MAX_LENGTH else None
    release = tuple(int(number) for number in match.groups()[:3]) if match else ()
    if match is None or len(release) != 3 or max(release) > MAX_NUMBER:
        raise BadRequest("That is not a version: npm versions are like 1.2.3 or 1.2.3-beta.1.", code="invalid-version")
    prerelease, build = (tuple(part.split(".")) if part else () for part in match.groups()[3:])
    if any(part.isdigit() and int(part) > MAX_NUMBER for part in prerelease):
        raise BadRequest("A number in that version's prerelease is too large.", code="invalid-version")
    return Version(release, prerelease, build)


def is_version(text: str) -> bool:
    """Whether *text* is a strict semver version."""
    try:
        parse_version(text)
    except BadRequest:
        return False
    return True


def check_tag(text: str) -> str:
    """Answers *text* when it can be a dist-tag.

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
