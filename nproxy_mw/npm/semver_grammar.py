"""The grammar of versions and ranges, as regular expressions to be put together.

Source: internal/re.js of https://github.com/npm/node-semver. Its bounds on the length of numbers and words are kept:
they decide what a loose range skips. Quantifiers are possessive wherever the next character cannot belong to what was
taken, so that no pattern reads a text more than a fixed number of times.
"""

from __future__ import annotations

SPACES = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
r"""The inside of a character class: what JavaScript's ``\s`` and ``trim()`` take for white space. Python's differ."""

NUMBER = "(?:0|[1-9][0-9]{0,256}+)"
LOOSE_NUMBER = "[0-9]{1,256}+"

LOOSE_PATCH = r"(?:[0-9]{1,256}+(?!\.)|[0-9]{1,255}(?=[0-9]\.))"
"""The third number of a loose version. Before a dot, its last digit begins the prerelease: 1.2.34.5 is 1.2.3-4.5."""

_WORD = "[0-9]{0,256}+[a-zA-Z-][a-zA-Z0-9-]{0,250}+"


def _dotted(identifier: str) -> str:
    return rf"(?:{identifier})(?:\.(?:{identifier}))*"


PRERELEASE = _dotted(f"{_WORD}|{NUMBER}")
LOOSE_PRERELEASE = _dotted(f"{_WORD}|{LOOSE_NUMBER}")

_BUILD = rf"(?:\+({_dotted('[a-zA-Z0-9-]+')}))?"

VERSION = rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({PRERELEASE}))?{_BUILD}"
LOOSE_VERSION = (
    rf"[v={SPACES}]*+({LOOSE_NUMBER})\.({LOOSE_NUMBER})\.({LOOSE_PATCH})"
    rf"(?:-?({LOOSE_PRERELEASE}))?{_BUILD}"
)
"""Both have five groups: major, minor, patch, prerelease and build."""
