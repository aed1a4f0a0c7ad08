"""What a developer reads of a held version: which rules, why, until when, and what to install instead. Pure."""

from __future__ import annotations

from typing import Any

from nproxy_mw.npm.versions import sort_key
from nproxy_mw.rules.decisions import Decision, Finding
from nproxy_mw.rules.tags import instead_of
from nproxy_mw.times import timestamp, timestamp_or_none

SHOWN = 3
"""Versions that a sentence names when all of a package is held, and findings that it gives of one version."""


def held_version(decision: Decision, version: str) -> str:
    """Returns the sentence about one blocked version: reasons, when it becomes available, and a version to use now."""
    sentence = f"{decision.package}@{version} is held by this registry's security rules: {_reasons(decision, version)}."
    until = decision.available_from(version)
    if until is not None:
        sentence += f" It becomes available at {timestamp(until)}."
    instead = instead_of(version, decision.allowed)
    return f"{sentence} Install {decision.package}@{instead} instead." if instead else sentence


def held_package(decision: Decision) -> str:
    """Returns the sentence about a package of which every version is blocked. It names the newest ones by number."""
    newest = sorted(decision.blocked, key=sort_key, reverse=True)[:SHOWN]
    rules = ", ".join(sorted({finding.rule for findings in decision.blocked.values() for finding in findings}))
    sentence = f"Every version of {decision.package} is held by this registry's security rules ({rules}): "
    sentence += "; ".join(f"{version}: {_reasons(decision, version)}" for version in newest)
    until = [end for version in decision.blocked if (end := decision.available_from(version)) is not None]
    return f"{sentence}. The first becomes available at {timestamp(min(until))}." if until else f"{sentence}."


def finding_document(version: str, finding: Finding) -> dict[str, Any]:
    """Returns a finding as error bodies, audit events and the management API show it."""
    until = timestamp_or_none(finding.until)
    return {"rule": finding.rule, "version": version, "reason": finding.reason, "until": until}


def _reasons(decision: Decision, version: str) -> str:
    findings = decision.blocked[version]
    more = f"; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return "; ".join(f"{finding.reason} ({finding.rule})" for finding in findings[:SHOWN]) + more
