"""Exposure: who fetched anything of a list of bad versions, or of an advisory. "Were we hit?"

What is asked about is written as a list (`nproxy_mw.intelligence.list_entries`), in which a line may also be the id of
an advisory, such as ``MAL-2026-1234``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.combined import sources_in
from nproxy_mw.intelligence.list_entries import ListEntry, parse_list
from nproxy_mw.intelligence.osv_affected import matcher, npm_range
from nproxy_mw.intelligence.port import IntelligenceUnavailable, Records
from nproxy_mw.ledger.facts import Install, InstallKey
from nproxy_mw.ledger.query import find
from nproxy_mw.npm.versions import parse_loose
from nproxy_mw.storage.port import Storage

MAX_LINES = 2_000
"""Lines of one question."""

_ADVISORY = re.compile(r"(?:MAL|GHSA|CVE|OSV)-[A-Za-z0-9-]{1,60}", re.ASCII)

Affected: TypeAlias = Mapping[str, Sequence[Callable[[str], bool]]]
"""What is asked about, by package: each function says whether a version is affected."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """What an incident is about. *entries* are the same as lines of a block list, without a comment."""

    affected: Affected
    entries: Sequence[str]

    def covers(self, key: InstallKey) -> bool:
        """Returns whether an install is of an affected version."""
        return any(is_affected(key.version) for is_affected in self.affected.get(key.package, ()))


def suspects_of(text: str, firewall: Firewall | None) -> Suspects:
    """Returns what *text* names, line by line. Advisories are looked up in the intelligence of *firewall*.

    Raises:
        BadRequest: a line is none of the forms, or an advisory is not known here; or there are too many lines, or none.
    """
    lines = [line for line in text.splitlines() if line.partition("#")[0].strip()]
    if not lines:
        raise BadRequest("Name at least one package, version or advisory.", code="nothing-asked")
    if len(lines) > MAX_LINES:
        raise BadRequest(f"Ask about at most {MAX_LINES:,} lines at once.", code="too-many-lines")
    advisories = [line.strip() for line in lines if _ADVISORY.fullmatch(line.partition("#")[0].strip())]
    listed = suspects_in("\n".join("" if line.strip() in advisories else line for line in text.splitlines()))
    return _joined([listed, *(suspects_by(_records(one.partition("#")[0].strip(), firewall)) for one in advisories)])


def suspects_in(text: str) -> Suspects:
    """Returns what a list names. Raises `BadRequest` for a line that is none of the forms."""
    try:
        entries = parse_list(text)
    except ValueError as error:
        raise BadRequest(str(error), code="invalid-list") from error
    lines = [entry for line in text.splitlines() if (entry := line.partition("#")[0].strip())]
    return Suspects({name: list(map(_by_entry, found)) for name, found in entries.items()}, lines)


def suspects_by(advisories: Sequence[Advisory]) -> Suspects:
    """Returns what records are about."""
    affected: dict[str, list[Callable[[str], bool]]] = {}
    for one in advisories:
        affected.setdefault(one.package, []).append(_by_advisory(one))
    return Suspects(affected, [entry for one in advisories for entry in _entries(one)])


def exposed(
    ledger: Storage, suspects: Suspects, since: datetime, until: datetime, limit: int
) -> tuple[list[Install], bool]:
    """Returns up to *limit* installs of affected versions, oldest day first, and whether these are all.

    Raises:
        StorageUnavailable: the ledger cannot be read.
    """
    found = list(islice(find(ledger, since, until, suspects.covers, packages=suspects.affected), limit + 1))
    return found[:limit], len(found) <= limit


def block_entries(entries: Iterable[str], why: str) -> list[str]:
    """Returns *entries* as the block list takes them, each with the reason *why*."""
    reason = " ".join(why.replace("#", " ").split())
    return [f"{entry} # {reason}" if reason else entry for entry in entries]


def _records(advisory: str, firewall: Firewall | None) -> list[Advisory]:
    sources = sources_in(firewall.policies.intelligence) if firewall is not None else ()
    try:
        found = [one for source in sources if isinstance(source, Records) for one in source.by_id(advisory)]
    except IntelligenceUnavailable as error:
        raise BadRequest(str(error), code="unknown-advisory") from error
    if not found:
        raise BadRequest(
            f"No advisory {advisory} about an npm package is known here: name the packages and versions instead.",
            code="unknown-advisory",
        )
    return found


def _joined(parts: Sequence[Suspects]) -> Suspects:
    affected: dict[str, list[Callable[[str], bool]]] = {}
    for part in parts:
        for name, found in part.affected.items():
            affected.setdefault(name, []).extend(found)
    return Suspects(affected, list(dict.fromkeys(entry for part in parts for entry in part.entries)))


def _entries(advisory: Advisory) -> Iterator[str]:
    versions = "*" if advisory.every_version else npm_range(advisory)
    if versions == "*":
        yield advisory.package
    else:
        yield from (f"{advisory.package}@{part}" for part in versions.split(" || "))


def _by_entry(entry: ListEntry) -> Callable[[str], bool]:
    return lambda version: entry.covers(parse_loose(version))


def _by_advisory(advisory: Advisory) -> Callable[[str], bool]:
    is_affected = matcher(advisory)
    return lambda version: is_affected(version, None)
