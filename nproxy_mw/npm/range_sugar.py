"""Rewrites ``^1.2``, ``~1``, ``1.x`` and ``1 - 2`` as plain comparators: ``>=1.2.0 <2.0.0-0``.

*Strategy:* npm defines ranges by a chain of replacements on text, and what it accepts follows from their order. So this
is the same chain: `comparators_of` takes the text between two ``||`` and returns words, each a comparator if npm can
read it at all. Nothing here decides whether a word is valid; `nproxy_mw.npm.ranges` does.

Source: classes/range.js of https://github.com/npm/node-semver, as of 7.8.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from typing import NamedTuple

from nproxy_mw.npm.semver_grammar import LOOSE_NUMBER, LOOSE_PATCH, LOOSE_PRERELEASE, NUMBER, PRERELEASE

NOTHING = "<0.0.0-0"
"""The comparator that no version satisfies."""

_WILDCARDS = frozenset({None, "x", "X", "*"})


def _partial(number: str, patch: str, prerelease: str) -> str:
    return rf"[v= ]*+({number}|[xX*])(?:\.({number}|[xX*])(?:\.({patch}|[xX*])(?:{prerelease})?)?)?"


_STRICT = _partial(NUMBER, NUMBER, f"-({PRERELEASE})")
_LOOSE = _partial(LOOSE_NUMBER, LOOSE_PATCH, f"-?({LOOSE_PRERELEASE})")

_BUILD = re.compile(r"\+[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*")
_STAR = re.compile(r"[<>]?=?\*")
_TILDE_AND_SPACE = re.compile("~>? ")
# An operator and its version, as npm looks for them: a whole version is read loosely even in a strict range.
_WHOLE = rf"{LOOSE_NUMBER}\.{LOOSE_NUMBER}\.{LOOSE_NUMBER}(?:-?{LOOSE_PRERELEASE})?"
# The group *other* takes at once what leads to no version, or each of its characters would be tried as a beginning.
_SPACED = rf"( ?)([<>]?=?) ?([v= ]*+{_WHOLE}|{_STRICT})|(?P<other>[v= ]++)"


class _Reading(NamedTuple):
    term: re.Pattern[str]
    hyphen: re.Pattern[str]
    spaced: re.Pattern[str]
    lowest: str  # what lets a bound include the prereleases of its own number


@cache  # compiled at the first range: they are long, and many processes never read one
def _reading(loose: bool, include_prerelease: bool) -> _Reading:
    partial = _LOOSE if loose else _STRICT
    term = re.compile(rf"(\^|~>?|[<>]?=?){partial}")
    hyphen = re.compile(f" ?({partial}) - ({partial}) ?")
    return _Reading(term, hyphen, re.compile(_SPACED), "-0" if include_prerelease else "")


def comparators_of(text: str, *, loose: bool, include_prerelease: bool) -> list[str]:
    """Returns the words that *text* is rewritten to: comparators, "" for any version, and what npm could not rewrite.

    *text* is one alternative of a range; its only white space is single spaces.
    """
    reading = _reading(loose, include_prerelease)
    text = _BUILD.sub("", text)
    hyphen = reading.hyphen.fullmatch(text)
    if hyphen:
        text = _between(hyphen, reading.lowest)
    text = reading.spaced.sub(r"\1\2\3\g<other>", text)
    text = _TILDE_AND_SPACE.sub("~", text).replace("^ ", "^")
    words = " ".join(_rewritten(term, reading) for term in text.split(" "))
    everything = f">=0.0.0{reading.lowest}"
    return ["" if word == everything else word for word in re.split(" +", words)]


class _Partial(NamedTuple):
    """A version that may end early or in a wildcard."""

    major: str
    minor: str | None
    patch: str | None
    prerelease: str | None

    @property
    def numbers(self) -> list[str]:
        """The numbers before the first wildcard."""
        return [str(part) for part in takewhile(lambda part: part not in _WILDCARDS, self[:3])]

    @property
    def has_number_after_wildcard(self) -> bool:
        return any(part not in _WILDCARDS for part in self[len(self.numbers) : 3])


def _rewritten(term: str, reading: _Reading) -> str:
    term = _BUILD.sub("", term, count=1)  # again: `_after` can write one
    match = reading.term.fullmatch(term)
    if match is None:
        return _STAR.sub("", term, count=1)
    operator, partial = match[1], _Partial(*match.groups()[1:])
    if operator.startswith(("^", "~")):
        return _caret_or_tilde(operator, partial, reading.lowest)
    if len(partial.numbers) == 3:
        return term
    if partial.has_number_after_wildcard:
        return _STAR.sub("", term, count=1)
    return _x_range(operator, partial, reading.lowest)


def _caret_or_tilde(operator: str, partial: _Partial, lowest: str) -> str:
    numbers = partial.numbers
    if not numbers:
        return ""
    kept = _significant(numbers) if operator == "^" else numbers[:2]
    if len(numbers) < 3:
        return f">={_filled(numbers)}{lowest} <{_after(kept)}-0"
    prerelease = f"-{partial.prerelease}" if partial.prerelease else ""
    return f">={_filled(numbers)}{prerelease} <{_after(kept)}-0"


def _x_range(operator: str, partial: _Partial, lowest: str) -> str:
    numbers = partial.numbers
    if not numbers:
        return NOTHING if operator in ("<", ">") else ""
    if operator in ("", "="):
        return f">={_filled(numbers)}{lowest} <{_after(numbers)}-0"
    bound = _after(numbers) if operator in (">", "<=") else _filled(numbers)
    return f">={bound}{lowest}" if operator.startswith(">") else f"<{bound}-0"


def _between(hyphen: re.Match[str], lowest: str) -> str:
    low, high = _Partial(*hyphen.groups()[1:5]), _Partial(*hyphen.groups()[6:])
    return f"{_at_least(hyphen[1], low, lowest)} {_at_most(hyphen[6], high, lowest)}".strip(" ")


def _at_least(text: str, low: _Partial, lowest: str) -> str:
    numbers = low.numbers
    if not numbers:
        return ""
    if len(numbers) < 3:
        return f">={_filled(numbers)}{lowest}"
    return f">={text}" if low.prerelease else f">={text}{lowest}"


def _at_most(text: str, high: _Partial, lowest: str) -> str:
    numbers = high.numbers
    if not numbers:
        return ""
    if len(numbers) == 3 and high.prerelease:
        return f"<={_filled(numbers)}-{high.prerelease}"
    return f"<{_after(numbers)}-0" if lowest or len(numbers) < 3 else f"<={text}"


def _significant(numbers: list[str]) -> list[str]:
    """The numbers up to the first that is not zero: what a caret keeps."""
    zeros = list(takewhile(lambda number: number == "0", numbers))
    return numbers[: len(zeros) + 1]


def _after(numbers: Sequence[str]) -> str:
    """The lowest release above all that begin with *numbers*."""
    *kept, last = numbers
    # From 10**21 on JavaScript writes an exponent, 1e+21, which npm then reads as something else or not at all.
    return _filled([*kept, repr(float(last) + 1) if float(last) + 1 >= 1e21 else str(int(last) + 1)])


def _filled(numbers: Sequence[str]) -> str:
    return ".".join([*numbers, "0", "0"][:3])
