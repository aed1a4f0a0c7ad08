"""Advisories for ``npm audit``: what intelligence knows of audited versions, and which of them the rules hold. Pure.

Clients are strict about their form: pnpm leaves out an advisory whose id is no number or whose severity it does not
know, and npm takes a missing range for every version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

from nproxy_mw.intelligence.port import MALWARE_KINDS, Alert
from nproxy_mw.npm.audits import SEVERITIES, OwnAdvisory
from nproxy_mw.rules.decisions import Finding, Findings

_OF_ALERTS = frozenset({"malware", "vulnerability"})
"""Rules whose findings are alerts, which are told as such."""

UNKNOWN = "moderate"
"""The severity of a hold, and of an advisory of which nobody said how severe it is."""


def own_advisories(
    name: str, versions: Sequence[str], alerts: Iterable[Alert], held: Findings
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
