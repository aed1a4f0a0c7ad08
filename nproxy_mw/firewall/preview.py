"""A preview: what other settings would do to what clients fetched lately. Nothing is changed and no event written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.ledger.query import find
from nproxy_mw.npm.names import names_in
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.replay import Change
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import timestamp_or_none

SPAN = timedelta(days=30)
"""How far back a preview looks unless it is told otherwise."""


class Fetched(NamedTuple):
    """How often a version was fetched, and when first."""

    times: int
    first: datetime


FetchedVersions: TypeAlias = Mapping[tuple[str, str], Fetched]
"""Each version (package, number) that was fetched."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be otherwise. *changes* come with how often each version was fetched, the most often first.

    *looked_at* of *total* packages were looked at before time ran out.
    """

    changes: Sequence[tuple[Change, int]]
    looked_at: int
    total: int

    def to_document(self) -> dict[str, Any]:
        """Returns the preview as the management API shows it."""
        rows = [
            {
                "package": change.package,
                "version": change.version,
                "before": change.before,
                "after": change.after,
                "rules": dict(change.rules),
                "fetched": times,
                "judgedAt": timestamp_or_none(change.at),
            }
            for change, times in self.changes
        ]
        return {"changes": rows, "lookedAt": self.looked_at, "packages": self.total}


def fetched_versions(ledger: Storage, since: datetime, until: datetime) -> FetchedVersions:
    """Returns what was fetched between two moments. Raises as `nproxy_mw.ledger.query.find`."""
    found: dict[tuple[str, str], Fetched] = {}
    for one in find(ledger, since, until):
        version = one.key.package, one.key.version
        before = found.get(version, Fetched(0, one.first))
        found[version] = Fetched(before.times + one.times, min(before.first, one.first))
    return found


def preview(
    firewall: Firewall,
    fetched: FetchedVersions,
    before: Settings,
    after: Settings,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Preview:
    """Returns what changes when settings go from *before* to *after*, among the public packages that were *fetched*.

    A version that was fetched is judged by the facts of its first fetch. The packages that were fetched most often are
    looked at first, while *may_go_on* says so.
    """
    by_package: Counter[str] = Counter()
    for (package, _), one in fetched.items():
        by_package[package] += one.times
    internal = {*before.internal_scopes, *after.internal_scopes}
    names = names_in(package for package, _ in by_package.most_common())
    packages = [str(name) for name in names if name.scope not in internal]
    moments = {version: one.first for version, one in fetched.items()}
    found: list[tuple[Change, int]] = []
    looked_at = 0
    for package in packages:
        if not may_go_on():
            break
        found += [(one, _times(fetched, one)) for one in firewall.replay(after, [package], moments)]
        looked_at += 1
    return Preview(sorted(found, key=lambda pair: -pair[1]), looked_at, len(packages))


def _times(fetched: FetchedVersions, change: Change) -> int:
    found = fetched.get((change.package, change.version))
    return found.times if found else 0
