"""exotic_dependency: versions that depend on code from outside a registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.wording import listed

_ARCHIVES = (".tgz", ".tar.gz", ".tar")
_FROM_A_REGISTRY = ("npm:", "workspace:", "catalog:", "jsr:", "patch:")


class ExoticDependency:
    """Flags git, ssh, http(s), file and hosted-git specifiers in ``dependencies`` and ``optionalDependencies``.

    It only warns where the highest lower stable version of the same major version had one too.
    """

    id = "exotic_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with such a dependency."""
        exotic = {specifier for specifier in _specifiers(history) if is_exotic(specifier, knowledge.own_git)}
        if not exotic:
            return
        for release in history.releases:
            found = _those_of(release, exotic)
            if found:
                before = history.stable_below[release.version]
                is_comparable = before is not None and before.major == release.major
                had_one = before is not None and is_comparable and bool(_those_of(before, exotic))
                reason = f"it takes {listed(found)} from outside the registry"
                yield Verdict(release.version, reason, only_warns=had_one)


def _specifiers(history: History) -> set[str]:
    """Returns every specifier of a dependency, whichever release has it. Releases with equal ones share them."""
    every = {
        id(dependencies): dependencies
        for release in history.releases
        for dependencies in (release.dependencies, release.optional_dependencies)
    }
    return set().union(*(dependencies.values() for dependencies in every.values()))


def _those_of(release: Release, exotic: set[str]) -> list[str]:
    """Returns the release's dependencies with an *exotic* specifier, each with it."""
    found = {
        f"{name} ({specifier})": None
        for dependencies in (release.dependencies, release.optional_dependencies)
        if not exotic.isdisjoint(dependencies.values())
        for name, specifier in dependencies.items()
        if specifier in exotic
    }
    return list(found)


def is_exotic(specifier: str, own: tuple[str, ...] = ()) -> bool:
    """Whether *specifier* names code outside a registry. A range, a dist-tag and an ``npm:`` alias do not.

    A range and a tag have no slash and no colon, and no client reads them as a path. *own* are the URLs below which
    this registry serves git dependencies itself.

    Source: npm's own https://github.com/npm/npm-package-arg.
    """
    text = specifier.strip()
    if "/" in text or ":" in text or "\\" in text or text.startswith("."):
        return not text.lower().startswith(_FROM_A_REGISTRY) and not text.startswith(own)
    return text.lower().endswith(_ARCHIVES)
