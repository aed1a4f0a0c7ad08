"""install_scripts: versions that run code of their own when they are installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class InstallScripts:
    """Flags ``preinstall``, ``install``, ``postinstall`` and ``prepare``."""

    id = "install_scripts"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with such a script."""
        for release in history.releases:
            if list(release.scripts) == ["prepare"]:
                yield Verdict(release.version, "it has a prepare script, which npm does not run for a registry package")
            elif release.scripts:
                yield Verdict(release.version, f"it runs {', '.join(release.scripts)} when it is installed")
