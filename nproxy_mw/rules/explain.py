"""Why a version is allowed or held: every rule, its settings and its word, for the API, the program and pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.rules.decisions import Decision
from nproxy_mw.rules.engine import Configured, Covers, Outcome, merge, outcomes
from nproxy_mw.rules.port import Knowledge
from nproxy_mw.rules.tags import instead_of
from nproxy_mw.times import timestamp_or_none

MAX_VERSIONS = 50
"""Versions that the explanation of a whole package lists, newest first."""


def explain_version(
    history: History, rules: Sequence[Configured], knowledge: Knowledge, covers: Covers, version: str
) -> dict[str, Any]:
    """Returns what each rule says of one version. *version* may be one that the upstream no longer lists."""
    found = outcomes(history, rules, knowledge)
    decision = merge(history, rules, found, covers, knowledge.now)
    release = next((one for one in history.releases if one.version == version), None)
    return {
        "package": history.name,
        "version": version,
        "verdict": _verdict(decision, version, release),
        "availableFrom": timestamp_or_none(decision.available_from(version)),
        "instead": instead_of(version, decision.allowed) if version in decision.blocked else None,
        "published": timestamp_or_none(release.published) if release else None,
        "facts": _facts(history, release) if release else None,
        "known": _known(knowledge, version),
        "rules": [_word(configured, found.get(configured.rule.id), version, covers) for configured in rules],
    }


def explain_package(decision: Decision, history: History) -> dict[str, Any]:
    """Returns what was decided about a package: its tags, and its newest versions with a verdict each."""
    newest = list(reversed(history.by_publication))[:MAX_VERSIONS]
    return {
        "package": history.name,
        "tags": decision.tags,
        "movedTags": decision.moved,
        "versions": [_summary(decision, release) for release in newest],
        "notes": [{"rule": note.rule, "kind": note.kind, "reason": note.reason} for note in decision.notes],
        "validUntil": timestamp_or_none(decision.valid_until),
        "orderedBy": "version" if decision.by_number else "time",
    }


def _facts(history: History, release: Release) -> dict[str, Any]:
    """What the rules looked at, of one version."""
    before = history.stable_below[release.version]
    return {
        "publisher": release.publisher,
        "evidence": release.evidence,
        "scripts": dict(release.scripts),
        "installScripts": dict(release.install_scripts),
        "stableBefore": before.version if before else None,
        "newDependencies": sorted(set(release.dependencies).difference(before.dependencies)) if before else [],
    }


def _known(knowledge: Knowledge, version: str) -> dict[str, Any]:
    """What the rules knew beyond the packument.

    ``alerts`` says whether every source could be asked: ``all``, ``some``, or ``none`` of what there is.
    """
    alerts = "some" if knowledge.incomplete and knowledge.alerts else "none" if knowledge.alerts is None else "all"
    return {
        "alerts": alerts,
        "score": knowledge.score,
        "takenAway": version in knowledge.withdrawn,
        "tarball": knowledge.mismatches.get(version),
    }


def _summary(decision: Decision, release: Release) -> dict[str, Any]:
    findings = decision.blocked.get(release.version, ()) + decision.warned.get(release.version, ())
    return {
        "version": release.version,
        "verdict": _verdict(decision, release.version, release),
        "rules": sorted({finding.rule for finding in findings}),
        "availableFrom": timestamp_or_none(decision.available_from(release.version)),
    }


def _verdict(decision: Decision, version: str, release: Release | None) -> str:
    for verdict, versions in _verdicts(decision).items():
        if version in versions:
            return verdict
    return "allowed" if release is not None else "absent"


def _verdicts(decision: Decision) -> Mapping[str, Mapping[str, object]]:
    return {"held": decision.blocked, "warned": decision.warned, "excepted": decision.excepted}


def _word(configured: Configured, outcome: Outcome | None, version: str, covers: Covers) -> dict[str, Any]:
    verdicts = [one for one in outcome.verdicts if one.version == version] if outcome else []
    untils = [one.until for one in verdicts if one.until]
    return {
        "rule": configured.rule.id,
        "mode": configured.mode,
        "parameters": dict(configured.parameters),
        "flags": bool(verdicts),
        "reasons": [one.reason for one in verdicts],
        "cannotTell": [note.reason for note in outcome.notes] if outcome else [],
        "until": timestamp_or_none(max(untils, default=None)),
        "exceptionUntil": timestamp_or_none(covers(version, configured.rule.id)),
    }
