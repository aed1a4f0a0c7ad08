"""New dependencies of young versions: what `held_dependency` looks at, so that an install does not fail on them. Pure.

Only versions that an install would choose matter: those that dist-tags point at, and the highest stable version of each
of the newest major versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nproxy_mw.errors import BadRequest
from nproxy_mw.npm.facts import History, Release
from nproxy_mw.npm.ranges import parse_range
from nproxy_mw.npm.versions import parse_loose
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.exotic_dependency import is_exotic
from nproxy_mw.rules.port import Verdict

MAX_MAJORS = 3
MAX_NEW = 10
"""New dependencies of one version that are looked at."""

MAX_FEW = 2
"""Versions that are looked at for a held dependency of their own: an older one would have to do otherwise."""


def new_dependencies(history: History) -> Iterator[tuple[Release, Mapping[str, str]]]:
    """Yields the versions that an install would choose, with the dependencies that the stable version below lacks."""
    chosen = {release.version for release in _chosen(history)} | set(history.tags.values())
    for release in [one for one in history.releases if one.version in chosen]:
        before = history.stable_below[release.version]
        if before is None:
            continue
        new = {name: text for name, text in release.dependencies.items() if name not in before.dependencies}
        if new:
            yield release, dict(list(new.items())[:MAX_NEW])


def asked_for(name: str, specifier: str) -> tuple[str, str] | None:
    """Returns the package and the range that a dependency asks a registry for; None when it asks none."""
    if specifier.startswith("npm:"):
        name, at, specifier = specifier[4:].rpartition("@")
        if not at or not name:
            return specifier, "*"
    return None if is_exotic(specifier) else (name, specifier)


def verdict_on(release: Release, dependency: str, wanted: str, decision: Decision) -> Verdict | None:
    """Returns the verdict on a version that needs *wanted* of *dependency*; None when some allowed version will do."""
    if not decision.blocked or _satisfied(wanted, decision.allowed, decision.tags):
        return None
    # A tag that no version is left for was dropped.
    tagged = [decision.moved[wanted]] if wanted in decision.moved else []
    fitting = [one for one in decision.blocked if one in tagged or _satisfied(wanted, (one,), {})]
    if not fitting:
        return None
    ends = [decision.available_from(version) for version in fitting]
    times = [end for end in ends if end is not None]
    until = min(times) if times and len(times) == len(ends) else None
    return Verdict(release.version, f"its new dependency {dependency}@{wanted} is held here", until)


def few_satisfy(wanted: str, decision: Decision) -> bool:
    """Returns whether so few allowed versions will do that all of them may have a held dependency of their own."""
    fitting = [one for one in decision.allowed if _satisfied(wanted, (one,), {})]
    return len(fitting) <= MAX_FEW and (bool(fitting) or wanted in decision.tags)


def _satisfied(wanted: str, versions: tuple[str, ...], tags: Mapping[str, str]) -> bool:
    if wanted in tags:
        return True
    try:
        asked = parse_range(wanted, loose=True)
    except BadRequest:  # a tag that no allowed version has
        return False
    return any((version := parse_loose(text)) is not None and asked.matches(version) for text in versions)


def _chosen(history: History) -> list[Release]:
    highest: dict[int | None, Release] = {}
    for release in reversed(history.by_number):
        if release.is_stable and release.major not in highest:
            highest[release.major] = release
            if len(highest) == MAX_MAJORS:
                break
    return list(highest.values())
