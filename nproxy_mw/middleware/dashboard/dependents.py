"""Which internal packages depend on which, found a little at each request.

Thousands of packages cannot be read at one request. Each request reads on for a moment where the one before stopped,
and begins anew at the end: a few hundred packages are known at once, and thousands after some requests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nproxy_mw.errors import NotFound
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import parse_name
from nproxy_mw.packages.store import PackageStore

MOMENT = 0.015  # seconds that one request reads
GROUPS = ("dependencies", "optionalDependencies", "peerDependencies")
MAX_ORGANIZATIONS = 256


@dataclass(slots=True)
class _Known:
    """What is known of one organization: by dependent, its dependencies and their ranges; *place* is where to go on."""

    uses: dict[str, Mapping[str, str]] = field(default_factory=dict)
    place: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Dependents:
    """The packages whose latest version depends on one, each with the range; *looked_at* of *total* are known."""

    ranges: Sequence[tuple[str, str]]
    looked_at: int
    total: int


class DependentIndex:
    """Dependents by organization. *clock* counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def of(self, org: str, packages: PackageStore, names: Sequence[str], name: str) -> Dependents:
        """Returns the dependents of *name* among *names*, all packages of the organization *org*."""
        if len(self._known) >= MAX_ORGANIZATIONS:
            self._known.clear()
        known = self._known.setdefault(org, _Known())
        with known.guard:
            self._read_on(known, packages, names)
            found = sorted((user, uses[name]) for user, uses in known.uses.items() if name in uses)
            return Dependents(found, min(len(known.uses), len(names)), len(names))

    def _read_on(self, known: _Known, packages: PackageStore, names: Sequence[str]) -> None:
        end = self._clock() + MOMENT
        for _ in range(len(names)):
            known.place %= len(names)
            if known.place == 0:
                known.uses = {user: known.uses[user] for user in names if user in known.uses}
            user = names[known.place]
            known.uses[user] = dict(_dependencies(packages, user))
            known.place += 1
            if self._clock() >= end:
                return


def _dependencies(packages: PackageStore, name: str) -> Iterator[tuple[str, str]]:
    try:
        packument = packages.outline(parse_name(name))
    except NotFound:
        return
    latest: Json = packument["versions"].get(packument["dist-tags"].get("latest"), {})
    for group in GROUPS:
        members = latest.get(group)
        if isinstance(members, Mapping):
            yield from ((str(dependency), str(wanted)) for dependency, wanted in members.items())
