"""Replay: which decisions would be others under other rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nproxy_mw.npm.versions import sort_key
from nproxy_mw.rules.decisions import Decision

HELD, WARNED, ALLOWED = "held", "warned", "allowed"


@dataclass(frozen=True, slots=True)
class Change:
    """A version whose verdict differs. *before* and *after* are ``held``, ``warned`` or ``allowed``.

    *rules* are those that flag it on the stricter side, with their reasons.
    """

    package: str
    version: str
    before: str
    after: str
    rules: Mapping[str, str]


def changes(before: Decision, after: Decision) -> Iterator[Change]:
    """Yields every version on which the two decisions about one history differ, lowest first."""
    for version in sorted({*before.blocked, *before.warned, *after.blocked, *after.warned}, key=sort_key):
        old, new = _verdict(before, version), _verdict(after, version)
        if old != new:
            stricter = before if _RANK[old] > _RANK[new] else after
            found = stricter.blocked.get(version) or stricter.warned.get(version) or ()
            yield Change(before.package, version, old, new, {finding.rule: finding.reason for finding in found})


_RANK = {ALLOWED: 0, WARNED: 1, HELD: 2}


def _verdict(decision: Decision, version: str) -> str:
    if version in decision.blocked:
        return HELD
    return WARNED if version in decision.warned else ALLOWED
