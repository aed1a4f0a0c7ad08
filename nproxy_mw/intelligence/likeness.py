"""Whether a package's name could be mistaken for a much used one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

SHORTEST = 4
"""Characters below which a name is like too many others to mean anything."""

LONGEST = 214  # characters of a name on npm


def likeness(name: str, popular: Iterable[str]) -> str | None:
    """Returns the name of *popular* that *name* is one edit away from, or equal to but for separators; None if none.

    An edit is one character added, removed, exchanged for another or swapped with its neighbor. Case does not count. A
    popular name is like no other. Pass the same frozenset each time: what is made of it is kept.
    """
    names = frozenset(popular)
    if name in names or not SHORTEST <= len(name) <= LONGEST:
        return None
    index, small = _index(names), name.lower()
    near = {one for form in _forms(small) for one in index.get(form, ()) if _is_like(small, one.lower())}
    return min(near, default=None)


@lru_cache(maxsize=4)
def _index(names: frozenset[str]) -> Mapping[str, list[str]]:
    """The names by each of their forms: two names one edit apart have a form in common."""
    found: dict[str, list[str]] = {}
    for name in names:
        if SHORTEST <= len(name) <= LONGEST:
            for form in set(_forms(name.lower())):
                found.setdefault(form, []).append(name)
    return found


def _forms(name: str) -> Iterator[str]:
    """The name, the name without separators, and the name without each one of its characters."""
    yield name
    yield _without_separators(name)
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]


def _is_like(one: str, other: str) -> bool:
    return _without_separators(one) == _without_separators(other) or _is_one_edit_from(one, other)


def _without_separators(name: str) -> str:
    return name.translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", "-_./@")


def _is_one_edit_from(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    pairs = enumerate(zip(one, other, strict=False))
    start = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    swapped = left[1:2] + left[:1] + left[2:]
    return right in (left[1:], swapped) or left == right[1:] or left[1:] == right[1:]
