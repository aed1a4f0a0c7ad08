"""install_scripts: versions that run code of their own when they are installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict

_ORDER = ("preinstall", "install", "postinstall", "prepare")
_UNUSED = "it has a prepare script, which npm does not run for a package from a registry"


class InstallScripts:
    """Flags ``preinstall``, ``install``, ``postinstall`` and ``prepare`` in ``scripts``."""

    id = "install_scripts"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version with such a script."""
        for release in history.releases:
            if not release.scripts:
                continue
            if len(release.scripts) == 1 and "prepare" in release.scripts:
                yield Verdict(release.version, _UNUSED)
            else:
                names = ", ".join(name for name in _ORDER if name in release.scripts)
                yield Verdict(release.version, f"it has install scripts: {names}")
