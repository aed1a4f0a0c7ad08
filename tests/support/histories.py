"""Histories of packages out of packuments that tests write, and the little that most tests of rules need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nproxy_mw.npm.facts import NO_EVIDENCE, PROVENANCE, STAGED, TRUSTED_PUBLISHER, History, Release
from nproxy_mw.rules.port import CannotTell, Knowledge, Rule, Verdict
from nproxy_mw.times import parse_time, timestamp

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

_NOT_VERSIONS = {"created", "modified", "unpublished"}


def ago(**how: float) -> str:
    """The time that long before `NOW`, as a packument writes it."""
    return timestamp(NOW - timedelta(**how))


def packument(name: str = "left-pad", versions: Mapping[str, Mapping[str, Any]] | None = None, **members: Any) -> Any:
    """A packument. What each version is given beside a manifest's members: ``time``."""
    found = versions or {}
    times = {version: one["time"] for version, one in found.items() if one.get("time")}
    manifests = {
        version: {"name": name, "version": version} | {key: value for key, value in one.items() if key != "time"}
        for version, one in found.items()
    }
    tags = members.pop("tags", {})
    return {"name": name, "dist-tags": tags, "versions": manifests, "time": times | members.pop("time", {}), **members}


def history_of(document: Any) -> History:
    """The history that a packument tells."""
    times = {key: moment for key, text in document["time"].items() if (moment := _moment(text)) is not None}
    dated = [moment for key, moment in times.items() if key not in _NOT_VERSIONS]
    tells = any("_npmUser" in one or "attestations" in one.get("dist", {}) for one in document["versions"].values())
    return History(
        name=document["name"],
        releases=tuple(
            _release(version, one, times.get(version), tells=tells) for version, one in document["versions"].items()
        ),
        tags=document["dist-tags"],
        created=times.get("created") or min(dated, default=None),
        modified=times.get("modified"),
        removed=frozenset(document["time"].keys() - document["versions"].keys() - _NOT_VERSIONS),
        maintainers=tuple(one["name"] for one in document.get("maintainers", ())),
    )


def said(
    rule: Rule, history: History, knowledge: Knowledge | None = None, **parameters: Any
) -> tuple[dict[str, Verdict], list[str]]:
    """What a rule says of a history: verdicts by version, and what it cannot tell."""
    words = list(rule.check(history, parameters, knowledge or Knowledge(now=NOW)))
    return (
        {word.version: word for word in words if isinstance(word, Verdict)},
        [word.reason for word in words if isinstance(word, CannotTell)],
    )


def flagged(rule: Rule, history: History, knowledge: Knowledge | None = None, **parameters: Any) -> set[str]:
    """The versions that a rule flags."""
    return set(said(rule, history, knowledge, **parameters)[0])


def releases(versions: Iterable[str], every: timedelta = timedelta(days=10), **facts: Any) -> tuple[Release, ...]:
    """Releases of one after another, the last one 100 days ago."""
    texts = list(versions)
    first = NOW - timedelta(days=100) - every * (len(texts) - 1)
    return tuple(Release(version=text, published=first + every * place, **facts) for place, text in enumerate(texts))


def _release(version: str, manifest: Mapping[str, Any], published: datetime | None, *, tells: bool) -> Release:
    dist, user = manifest.get("dist", {}), manifest.get("_npmUser", {})
    scripts = manifest.get("scripts", {})
    return Release(
        version=version,
        published=published,
        dependencies=manifest.get("dependencies", {}),
        optional_dependencies=manifest.get("optionalDependencies", {}),
        scripts={
            name: scripts[name] for name in ("preinstall", "install", "postinstall", "prepare") if scripts.get(name)
        },
        gypfile=bool(manifest.get("gypfile")),
        publisher=user.get("name"),
        evidence=_evidence(dist, user) if tells else None,
        integrity=dist.get("integrity"),
        unpacked_size=dist.get("unpackedSize"),
        deprecated=bool(manifest.get("deprecated")),
    )


def _evidence(dist: Mapping[str, Any], user: Mapping[str, Any]) -> int:
    if user.get("approver"):
        return STAGED
    if not dist.get("attestations", {}).get("provenance"):
        return NO_EVIDENCE
    return TRUSTED_PUBLISHER if user.get("trustedPublisher") else PROVENANCE


def _moment(text: Any) -> datetime | None:
    try:
        return parse_time(str(text))
    except ValueError:
        return None
