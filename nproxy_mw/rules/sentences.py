"""What a developer is told about a held version: which rules, why, until when, and what to install instead. Pure."""

from __future__ import annotations

from typing import Any

from nproxy_mw.rules.decisions import Decision, Finding
from nproxy_mw.rules.tags import instead_of
from nproxy_mw.times import timestamp

SHOWN = 3
"""Versions that a sentence names when all of a package is held."""


def held_version(decision: Decision, version: str) -> str:
    """Returns the sentence about one blocked version: reasons, when it becomes available, and a version to use now."""
    reasons = "; ".join(f"{finding.reason} ({finding.rule})" for finding in decision.blocked[version])
    sentence = f"{decision.package}@{version} is held by this registry's security rules: {reasons}."
    until = decision.available_from(version)
    if until is not None:
        sentence += f" It becomes available at {timestamp(until)}."
    instead = instead_of(version, decision.allowed)
    return f"{sentence} Install {decision.package}@{instead} instead." if instead else sentence


def held_package(decision: Decision) -> str:
    """Returns the sentence about a package of which every version is blocked."""
    held = [version for version in decision.blocked if version]
    newest = held[-SHOWN:]
    rules = ", ".join(sorted({finding.rule for findings in decision.blocked.values() for finding in findings}))
    until = [end for version in held if (end := decision.available_from(version)) is not None]
    sentence = f"Every version of {decision.package} is held by this registry's security rules ({rules}): "
    sentence += "; ".join(f"{version}: {decision.blocked[version][0].reason}" for version in newest)
    return f"{sentence}. The first becomes available at {timestamp(min(until))}." if until else f"{sentence}."


def finding_document(version: str, finding: Finding) -> dict[str, Any]:
    """Returns a finding as error bodies, audit events and the management API show it."""
    until = timestamp(finding.until) if finding.until else None
    return {"rule": finding.rule, "version": version, "reason": finding.reason, "until": until}
