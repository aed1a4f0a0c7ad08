"""Histories of packages out of packuments that tests write, and the little that most tests of rules need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nproxy_mw.npm.facts import History, Release
from nproxy_mw.npm.history import read_history
from nproxy_mw.npm.slices import outline, split
from nproxy_mw.rules.engine import Configured
from nproxy_mw.rules.port import CannotTell, Knowledge, Rule, Verdict
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.times import timestamp

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


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


def rules_of(settings: Mapping[str, Mapping[str, Any]]) -> tuple[Configured, ...]:
    """The rules of *settings*; all others are off."""
    off = {rule: {**values, "mode": "off"} for rule, values in SHIPPED.defaults().items()}
    return SHIPPED.configured({**off, **settings})


def history_of(document: Any) -> History:
    """The history that a packument tells, read as one of the upstream is."""
    return read_history(split(outline(json.dumps(document).encode()), document["name"]))


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
