"""script_added: versions whose install scripts differ from those of the version before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict


class ScriptAdded:
    """Flags install scripts that differ from those of the highest lower stable version: of the same major, else of any.

    The first version of a package is never flagged: there is nothing to compare it with.
    """

    id = "script_added"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version whose install scripts are new or changed."""
        for release in history.releases:
            of_major, of_any = history.stable_below[release.version]
            before = of_major or of_any
            scripts = release.install_scripts
            if before is not None and scripts and scripts != before.install_scripts:
                changed = [name for name in scripts if scripts[name] != before.install_scripts.get(name)]
                names = ", ".join(changed or scripts)
                yield Verdict(release.version, f"its install scripts differ from those of {before.version}: {names}")
