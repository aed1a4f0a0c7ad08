"""Advisories for ``npm audit``: what intelligence knows of audited versions, and which of them the rules hold.

Clients are strict about their form: pnpm leaves out an advisory whose id is no number or whose severity it does not
know, and npm takes a missing range for every version.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Protocol

from nproxy_mw.intelligence.combined import known_alerts, learned
from nproxy_mw.intelligence.port import MALWARE_KINDS, Alert, Intelligence
from nproxy_mw.npm.audits import SEVERITIES, OwnAdvisories, OwnAdvisory
from nproxy_mw.rules.decisions import Finding, Findings

_log = logging.getLogger(__name__)

_OF_ALERTS = frozenset({"malware", "vulnerability"})
"""Rules whose findings are alerts: each of these is an advisory of its own."""

NO_FINDINGS: Findings = MappingProxyType({})
PATIENCE = 10.0
"""Seconds that one audit takes at most to find advisories: somebody waits for an install."""

UNKNOWN = "moderate"
"""The severity of a hold, and of an advisory of which nobody said how severe it is."""


class Advisors(Protocol):
    """A source of advisories of this registry's own."""

    @property
    def has_advisories(self) -> bool:
        """Whether there is intelligence that advisories come from."""
        ...

    def advisories(self, asked: Mapping[str, Sequence[str]], *, of_stranger: bool = False) -> OwnAdvisories:
        """Returns what is known against audited versions, by package. Raises nothing.

        *of_stranger* says that an anonymous caller asks, for whom few questions are asked elsewhere.
        """
        ...


class Unruled:
    """The `Advisors` where there is no upstream, so that no rule holds anything: *intelligence* alone."""

    def __init__(self, intelligence: Intelligence) -> None:
        self.intelligence = intelligence

    @property
    def has_advisories(self) -> bool:
        """True."""
        return True

    def advisories(self, asked: Mapping[str, Sequence[str]], *, of_stranger: bool = False) -> OwnAdvisories:
        """Returns what is known against audited versions, by package. See `Advisors`."""
        known = learned(self.intelligence, list(asked), of_stranger=of_stranger)
        return advised(
            asked, lambda name, versions: own_advisories(name, versions, known_alerts(known, name, versions))
        )


def advised(
    asked: Mapping[str, Sequence[str]],
    advise: Callable[[str, Sequence[str]], Iterable[OwnAdvisory]],
    monotonic: Callable[[], float] = time.monotonic,
) -> OwnAdvisories:
    """Returns what *advise* knows of the packages that are asked about, as far as it gets within `PATIENCE`."""
    deadline = monotonic() + PATIENCE
    found: dict[str, Sequence[OwnAdvisory]] = {}
    for place, (name, versions) in enumerate(asked.items()):
        if monotonic() > deadline:
            _log.warning("an audit went on without advisories on %d of %d packages", len(asked) - place, len(asked))
            break
        advisories = list(advise(name, versions))
        if advisories:
            found[name] = advisories
    return found


def own_advisories(
    name: str, versions: Sequence[str], alerts: Iterable[Alert], held: Findings = NO_FINDINGS
) -> Iterator[OwnAdvisory]:
    """Yields an advisory per record that is about some of *versions*, and one per rule that holds some of them."""
    by_id: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_id.setdefault(alert.id, []).append(alert)
    for found in by_id.values():
        yield _of_record(name, found)
    by_rule: dict[str, dict[str, Finding]] = {}
    for version in versions:
        for finding in held.get(version, ()):
            if finding.rule not in _OF_ALERTS:
                by_rule.setdefault(finding.rule, {})[version] = finding
    for rule, findings in by_rule.items():
        yield _of_rule(name, rule, findings)


def _of_record(name: str, found: Sequence[Alert]) -> OwnAdvisory:
    alert = found[0]
    is_malware = alert.kind in MALWARE_KINDS
    severity = "critical" if is_malware else alert.severity if alert.severity in SEVERITIES else UNKNOWN
    title = f"{alert.summary or alert.id} ({alert.kind})" if is_malware else alert.summary or alert.id
    document = _document(name, alert.id, title, severity or UNKNOWN, alert.affected)
    document |= {"url": alert.url, "cwe": list(alert.cwes)}
    document["cvss"] = {"score": alert.score, "vectorString": alert.vector or None}
    return OwnAdvisory(frozenset({alert.id, *alert.aliases}), [one.version for one in found], document)


def _of_rule(name: str, rule: str, findings: dict[str, Finding]) -> OwnAdvisory:
    reason = next(iter(findings.values())).reason
    title = f"Held by this registry's security rules: {reason} ({rule})"
    return OwnAdvisory(frozenset(), list(findings), _document(name, rule, title, UNKNOWN, " || ".join(findings)))


def _document(name: str, label: str, title: str, severity: str, affected: str) -> dict[str, Any]:
    return {
        "id": int.from_bytes(blake2b(f"{label}\0{name}".encode(), digest_size=6).digest()),
        "url": "",
        "title": title,
        "severity": severity,
        "vulnerable_versions": affected or "*",
        "cwe": [],
        "cvss": {"score": 0, "vectorString": None},
    }
