"""Whether a package's name could be mistaken for a much used one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 4
"""Characters below which a name is like too many others to mean anything."""


def likeness(name: str, popular: Iterable[str]) -> str | None:
    """Returns the name of *popular* that *name* is one edit away from, or equal to but for separators; None if none.

    An edit is one character added, removed, exchanged for another or swapped with its neighbor. A popular name is like
    no other.
    """
    names = popular if isinstance(popular, (set, frozenset)) else set(popular)
    if name in names or len(name) < SHORTEST:
        return None
    plain = _plain(name)
    return next(
        (one for one in sorted(names) if len(one) >= SHORTEST and (_plain(one) == plain or _one_edit(name, one))), None
    )


def _plain(name: str) -> str:
    return name.translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", "-_./@")


def _one_edit(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    start = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    rest, rest_of_other = one[start:], other[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return (
        rest[1:] == rest_of_other
        or rest == rest_of_other[1:]
        or rest[1:] == rest_of_other[1:]
        or swapped == rest_of_other
    )
