"""exotic_dependency: versions that depend on code from outside a registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.port import Knowledge, Verdict
from nproxy_mw.rules.wording import listed

_FROM_A_REGISTRY = ("npm:", "workspace:", "catalog:", "jsr:", "patch:")
_ARCHIVES = (".tgz", ".tar.gz", ".tar")


class ExoticDependency:
    """Flags git, ssh, http(s), file and hosted-git specifiers in ``dependencies`` and ``optionalDependencies``.

    It only warns where the highest lower stable version of the same major version had one too.
    """

    id = "exotic_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with such a dependency."""
        ordinary: set[str] = set()
        for release in history.releases:
            found = exotic(release, ordinary, knowledge.own_git)
            if found:
                before, _ = history.stable_below[release.version]
                had_one = before is not None and bool(exotic(before, ordinary, knowledge.own_git))
                reason = f"it takes {listed(found)} from outside the registry"
                yield Verdict(release.version, reason, only_warns=had_one)


def exotic(release: Release, ordinary: set[str], own: tuple[str, ...]) -> list[str]:
    """Returns the release's dependencies that do not come from a registry, each with its specifier.

    *ordinary* are specifiers that were found to name a registry's packages; new ones are added to it.
    """
    both = (release.dependencies, release.optional_dependencies)
    if all(ordinary.issuperset(dependencies.values()) for dependencies in both):
        return []
    entries = [entry for dependencies in both for entry in dependencies.items()]
    found = [f"{name} ({specifier})" for name, specifier in entries if is_exotic(specifier, own)]
    ordinary.update(specifier for _, specifier in entries if not is_exotic(specifier, own))
    return list(dict.fromkeys(found))


def is_exotic(specifier: str, own: Iterable[str] = ()) -> bool:
    """Whether *specifier* names code outside a registry. A range, a dist-tag and an ``npm:`` alias do not.

    A range and a tag have no slash and no colon, and no client reads them as a path. *own* are the URLs below which
    this registry serves git dependencies itself.

    Source: npm's own https://github.com/npm/npm-package-arg.
    """
    text = specifier.strip()
    if text.lower().startswith(_FROM_A_REGISTRY) or text.startswith(tuple(own)):
        return False
    is_place = any(mark in text for mark in "/\\:") or text.startswith(".")
    return is_place or text.lower().endswith(_ARCHIVES)
