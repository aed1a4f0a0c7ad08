"""OSV records: parsed, and reduced to what is asked of them. Pure.

Source: https://ossf.github.io/osv-schema/. Only what concerns npm packages is read. A record that does not follow the
schema is refused whole, so that half a record never says "not affected".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from nproxy_mw.intelligence.port import MALWARE, VULNERABILITY
from nproxy_mw.intelligence.severity import Severity, severity_of
from nproxy_mw.times import parse_time

MAX_RECORD = 4 * 2**20
"""Bytes of one record. The largest known ones, which list each version of a package, have some hundred kilobytes."""

ECOSYSTEM = "npm"
EMBEDDED_MALICIOUS_CODE = "CWE-506"
_RANGES = ("SEMVER", "ECOSYSTEM")  # for npm they mean the same; GIT ranges name commits

MAX_SUMMARY = 200  # characters


class _Package(msgspec.Struct):
    ecosystem: str
    name: str


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] = []
    versions: list[str] = []
    severity: list[dict[str, str]] = []
    ecosystem_specific: dict[str, Any] | None = None
    database_specific: dict[str, Any] | None = None


class _Record(msgspec.Struct):
    id: str
    modified: str
    published: str | None = None
    withdrawn: str | None = None
    aliases: list[str] = []
    summary: str = ""
    affected: list[_Affected] = []
    severity: list[dict[str, str]] = []
    database_specific: dict[str, Any] | None = None


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """What one record says about one package.

    *ranges* are lists of (event, version) in the record's order. *integrities* are hashes of condemned tarballs.
    """

    package: str
    id: str
    kind: str
    summary: str = ""
    severity: str | None = None
    published: datetime | None = None
    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[tuple[str, str], ...], ...] = ()
    integrities: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    cwes: tuple[str, ...] = ()
    vector: str = ""
    score: float = 0.0

    @property
    def every_version(self) -> bool:
        """Whether the record condemns the package as a whole: a range that begins at the beginning and has no end."""
        return any(
            all(event == "introduced" and version == "0" for event, version in one) for one in self.ranges if one
        )

    @property
    def fixed(self) -> tuple[str, ...]:
        """The versions that the record names as fixes."""
        return tuple(version for one in self.ranges for event, version in one if event == "fixed")


def parse_record(data: bytes) -> tuple[str, str, list[Advisory]]:
    """Returns a record's id, when it was modified, and what it says about each npm package; nothing when withdrawn.

    Raises:
        ValueError: it is too large, not JSON, or does not follow the schema.
    """
    if len(data) > MAX_RECORD:
        raise ValueError(f"An OSV record has more than {MAX_RECORD} bytes.")
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError("This is not an OSV record.") from error
    parse_time(record.modified)
    return record.id, record.modified, [] if record.withdrawn else list(_advisories(record))


def _advisories(record: _Record) -> Iterator[Advisory]:
    by_package: dict[str, list[_Affected]] = {}
    for affected in record.affected:
        if affected.package and affected.package.ecosystem == ECOSYSTEM:
            by_package.setdefault(affected.package.name, []).append(affected)
    for name, several in by_package.items():
        for affected in _merged(several, record):
            yield _advisory(record, name, affected)


def _merged(several: list[_Affected], record: _Record) -> Iterator[_Affected]:
    """The entries about one package as one, unless they differ in severity."""
    by_severity: dict[Severity, _Affected] = {}
    for affected in several:
        severity = severity_of(affected.severity, affected.database_specific, affected.ecosystem_specific)
        found = by_severity.get(severity)
        if found is None:
            by_severity[severity] = affected
        else:
            found.ranges.extend(affected.ranges)
            found.versions.extend(affected.versions)
    yield from by_severity.values()


def _advisory(record: _Record, name: str, affected: _Affected) -> Advisory:
    own = severity_of(affected.severity, affected.database_specific, affected.ecosystem_specific)
    severity = own if own.level else severity_of(record.severity, record.database_specific)
    cwes = _texts(record.database_specific, "cwe_ids") + _texts(affected.database_specific, "cwe_ids")
    return Advisory(
        package=name,
        id=record.id,
        kind=MALWARE if _is_malware(record, cwes) else VULNERABILITY,
        summary=" ".join(record.summary.split())[:MAX_SUMMARY],
        severity=severity.level,
        published=parse_time(record.published) if record.published else None,
        versions=tuple(dict.fromkeys(affected.versions)),
        ranges=tuple(_events(one) for one in affected.ranges if one.type in _RANGES),
        integrities=_texts(affected.database_specific, "integrity") + _texts(affected.ecosystem_specific, "integrity"),
        aliases=tuple(record.aliases),
        cwes=tuple(dict.fromkeys(cwes)),
        vector=severity.vector,
        score=severity.score,
    )


def _events(one: _Range) -> tuple[tuple[str, str], ...]:
    return tuple((event, version) for events in one.events for event, version in events.items())


def _is_malware(record: _Record, cwes: tuple[str, ...]) -> bool:
    return any(name.startswith("MAL-") for name in (record.id, *record.aliases)) or EMBEDDED_MALICIOUS_CODE in cwes


def _texts(document: dict[str, Any] | None, key: str) -> tuple[str, ...]:
    value = (document or {}).get(key)
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in values if isinstance(text, str))
