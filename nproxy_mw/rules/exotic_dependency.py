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
        ordinary: set[str] = set()
        for release in history.releases:
            found = exotic(release, ordinary, knowledge.own_git)
            if found:
                before = history.stable_below[release.version]
                had_one = False
                if before is not None and before.major == release.major:
                    had_one = bool(exotic(before, ordinary, knowledge.own_git))
                reason = f"it takes {listed(found)} from outside the registry"
                yield Verdict(release.version, reason, only_warns=had_one)


def exotic(release: Release, ordinary: set[str], own: tuple[str, ...]) -> list[str]:
    """Returns the release's dependencies that do not come from a registry, each with its specifier.

    *ordinary* are specifiers that were found to name a registry's packages; new ones are added to it.
    """
    found: dict[str, None] = {}
    for dependencies in (release.dependencies, release.optional_dependencies):
        if ordinary.issuperset(dependencies.values()):
            continue
        unknown = set(dependencies.values()).difference(ordinary)
        strange = {specifier for specifier in unknown if is_exotic(specifier, own)}
        ordinary |= unknown - strange
        if strange:
            found |= {f"{name} ({text})": None for name, text in dependencies.items() if text in strange}
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
