"""script_added: versions whose install scripts differ from those of the version before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nproxy_mw.npm.facts import History
from nproxy_mw.rules.port import Knowledge, Verdict

_NOT_RUN = frozenset({"prepare"})


class ScriptAdded:
    """Flags install scripts that differ from those of the highest lower stable version.

    A version without a lower stable version, as the first of a package, is never flagged: there is nothing to compare
    it with. One that only lost all its scripts is not flagged either.
    """

    id = "script_added"

    def check(self, history: History, parameters: Mapping[str, Any], knowledge: Knowledge) -> Iterator[Verdict]:
        """Yields a verdict per version whose install scripts are new or changed."""
        for release in history.releases:
            if (_NOT_RUN.issuperset(release.scripts) and not release.gypfile) or not release.install_scripts:
                continue
            before = history.stable_below[release.version]
            if before is not None and release.install_scripts != before.install_scripts:
                difference = _difference(before.install_scripts, release.install_scripts)
                yield Verdict(release.version, f"its install scripts are not those of {before.version}: {difference}")


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    other = [name for name in after if after[name] != before.get(name)]
    words = [f"{name} is {'changed' if name in before else 'new'}" for name in other]
    return ", ".join(words + [f"{name} is gone" for name in before if name not in after])
