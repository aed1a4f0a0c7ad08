"""Ranges of versions as npm's semver package reads them: ``^1.2.0 || >=2.1 <3``.

No library on PyPI agrees with npm about prereleases, so this one follows npm's own code, and is tested against it. As
there, a prerelease satisfies a range only where the range itself names a prerelease of the same release, unless
*include_prerelease* is set: ``^1.2.3-beta`` holds 1.2.3-rc and 1.3.0, not 1.3.0-rc.

Source: https://github.com/npm/node-semver, as of 7.8.5. Older npm clients take a number after a wildcard (``1.x.2``),
which is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.range_sugar import NOTHING, comparators_of
from nproxy_mw.npm.semver_grammar import LOOSE_VERSION, SPACES, VERSION
from nproxy_mw.npm.versions import Version, parse_like_npm

MAX_LENGTH = 1024
"""Characters of a range. npm sets no limit."""

MAX_COMPARATORS = 128
"""Comparators of a range. Each is compared with every version that the range is asked about."""

_WHITE_SPACE = re.compile(f"[{SPACES}]+")
_COMPARATOR = re.compile(f"([<>]?=?)(v?{VERSION})")
_LOOSE_COMPARATOR = re.compile(f"([<>]?=?)({LOOSE_VERSION})")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {"": eq, ">": gt, ">=": ge, "<": lt, "<=": le}


class Comparator(NamedTuple):
    """``>=1.2.0``: an operator, which is "" for equality, and a version."""

    operator: str
    version: Version

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"


Alternative: TypeAlias = tuple[Comparator, ...]
"""What stands between two ``||``. All comparators must hold; where there are none, any version is in."""


class Range(Struct, frozen=True):
    """A parsed range. Its `str` is npm's normal form: ``>=1.2.0 <2.0.0-0||>=2.1.0 <3.0.0``, and ``*`` for any version.

    *with_prereleases* are the alternatives where prereleases count like other versions; npm reads the text anew for it.
    """

    alternatives: tuple[Alternative, ...]
    with_prereleases: tuple[Alternative, ...]
    loose: bool = False

    def __str__(self) -> str:
        return "||".join(" ".join(map(str, alternative)) for alternative in self.alternatives) or "*"

    def matches(self, version: str | Version, *, include_prerelease: bool = False) -> bool:
        """Returns whether *version* satisfies the range; a text that is no version does not.

        A text is read strictly unless the range is loose. Pass the result of `parse_loose` to match an old registry
        number against a strict range.
        """
        found = parse_like_npm(version, loose=self.loose) if isinstance(version, str) else version
        if found is None:
            return False
        if include_prerelease:
            return any(_holds(alternative, found) for alternative in self.with_prereleases)
        return any(
            _holds(alternative, found) and (found.is_stable or _names_prerelease_of(alternative, found))
            for alternative in self.alternatives
        )


@lru_cache(maxsize=512)
def parse_range(text: str, *, loose: bool = False) -> Range:
    """Parses a range. *loose* also reads loose versions in it, and skips what it cannot read, as npm does.

    Raises:
        BadRequest: it is not a range, or has too many characters or comparators.
    """
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"A version range has at most {MAX_LENGTH} characters.", code="invalid-range")
    alternatives = _alternatives(text, loose=loose, include_prerelease=False)
    with_prereleases = _with_prereleases(text, loose=loose)
    if max(sum(map(len, alternatives)), sum(map(len, with_prereleases))) > MAX_COMPARATORS:
        raise BadRequest(f"A version range has at most {MAX_COMPARATORS} comparators.", code="invalid-range")
    return Range(alternatives, with_prereleases, loose)


def _with_prereleases(text: str, *, loose: bool) -> tuple[Alternative, ...]:
    try:
        return _alternatives(text, loose=loose, include_prerelease=True)
    except BadRequest:  # a bound that npm computes for prereleases is beyond its largest number: nothing satisfies it
        return ()


def _alternatives(text: str, *, loose: bool, include_prerelease: bool) -> tuple[Alternative, ...]:
    found: list[Alternative] = []
    for part in _WHITE_SPACE.sub(" ", text).split("||"):
        words = comparators_of(part.strip(" "), loose=loose, include_prerelease=include_prerelease)
        if loose:
            words = [word for word in words if not word or _LOOSE_COMPARATOR.fullmatch(word)]
        if words:
            found.append(_alternative(words, loose=loose))
    if not found:
        raise _not_a_range()
    possible = [alternative for alternative in found if alternative != _NEVER]
    return ((),) if () in possible else tuple(possible or found[:1])


def _alternative(words: Iterable[str], *, loose: bool) -> Alternative:
    comparators = tuple(dict.fromkeys(_comparator(word, loose=loose) for word in words if word))
    return _NEVER if _NEVER[0] in comparators else comparators


def _comparator(word: str, *, loose: bool) -> Comparator:
    match = (_LOOSE_COMPARATOR if loose else _COMPARATOR).fullmatch(word)
    version = parse_like_npm(match[2], loose=loose) if match else None
    if match is None or version is None:
        raise _not_a_range()
    return Comparator("" if match[1] == "=" else match[1], Version(version.release, version.prerelease, ()))


def _not_a_range() -> BadRequest:
    return BadRequest(
        "That is not a version range: ranges are like ^1.2.0, 1.x, >=1.2.0 <2 or 1.2.3 || 2.0.0.", code="invalid-range"
    )


_NEVER: Alternative = (_comparator(NOTHING, loose=False),)


def _holds(alternative: Alternative, version: Version) -> bool:
    precedence = version.precedence
    return all(_OPERATORS[operator](precedence, bound.precedence) for operator, bound in alternative)


def _names_prerelease_of(alternative: Alternative, version: Version) -> bool:
    return any(bound.prerelease and bound.release == version.release for _, bound in alternative)
