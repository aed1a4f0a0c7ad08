"""exotic_dependency: versions that depend on code from outside a registry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.port import Knowledge, Verdict

# What npm's npm-package-arg reads as git, remote, file or folder: a scheme, a hosted-git shorthand, a path, scp's form.
_EXOTIC = re.compile(
    r"\s*(?:git(?:\+[a-z]+)?:|ssh:|https?:|file:|(?:github|gitlab|bitbucket|gist):"
    r"|\.{0,2}/|~/|[a-z]:[\\/]"
    r"|[^@/\s:]+@[^/\s:]+:"
    r"|[\w.-]+/[\w.-]+(?:#.*)?\s*$)",
    re.ASCII | re.IGNORECASE,
)
_OURS = "/-/git/"
"""A path of this registry under which it serves git dependencies itself."""


class ExoticDependency:
    """Flags git, ssh, http(s), file and hosted-git specifiers in ``dependencies`` and ``optionalDependencies``.

    It only warns where the highest lower stable version of the same major version had one too.
    """

    id = "exotic_dependency"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with such a dependency."""
        for release in history.releases:
            found = exotic(release)
            if found:
                before, _ = history.stable_below[release.version]
                reason = f"it takes {', '.join(found)} from outside the registry"
                yield Verdict(release.version, reason, only_warns=before is not None and bool(exotic(before)))


def exotic(release: Release) -> list[str]:
    """The names of the release's dependencies that do not come from a registry."""
    both = {**release.dependencies, **release.optional_dependencies}
    return [name for name, specifier in both.items() if is_exotic(specifier)]


def is_exotic(specifier: str) -> bool:
    """Whether *specifier* names code outside a registry. A range, a dist-tag and an ``npm:`` alias do not."""
    return _OURS not in specifier and _EXOTIC.match(specifier[:1024]) is not None
