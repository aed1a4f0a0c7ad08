"""Dist-tags after versions were taken out: where each points now. Pure.

A tag whose version survives stays. Else it moves to the highest surviving stable version below its old one, which is of
the same major version where there is one; else to the highest surviving stable version; else the tag is dropped. So
``latest`` is never a prerelease that it was not before, and no tag dangles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nproxy_mw.npm.versions import Version, parse_loose


def repaired(tags: Mapping[str, str], allowed: Sequence[str]) -> dict[str, str]:
    """Returns *tags* without dangling ones. *allowed* are the versions that are left, lowest first."""
    left = frozenset(allowed)
    if left.issuperset(tags.values()):
        return dict(tags)
    stable = [(text, version) for text in allowed if (version := parse_loose(text)) and version.is_stable]
    found = {tag: version if version in left else _stand_in(version, stable) for tag, version in tags.items()}
    return {tag: version for tag, version in found.items() if version is not None}


def instead_of(version: str, allowed: Sequence[str]) -> str | None:
    """Returns what to install in the place of *version*, chosen as for a tag that pointed at it; None if nothing is."""
    return repaired({"": version}, [one for one in allowed if one != version]).get("")


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Returns, for each tag that changed or went, the version that it pointed at."""
    return {tag: version for tag, version in before.items() if after.get(tag) != version}


def _stand_in(old: str, stable: Sequence[tuple[str, Version]]) -> str | None:
    version = parse_loose(old)
    if version is not None:
        stable = [(text, one) for text, one in stable if one.precedence < version.precedence] or stable
    return stable[-1][0] if stable else None
