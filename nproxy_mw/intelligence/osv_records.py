"""OSV records: parsed, and reduced to what is asked of them. Pure.

Only what concerns npm packages is read. A record that does not follow the schema is refused whole, so that half a
record never says "not affected".

Source: https://ossf.github.io/osv-schema/, and for records of malware
https://github.com/ossf/malicious-packages/blob/main/docs/schema_additions.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.port import MALWARE, VULNERABILITY
from nproxy_mw.intelligence.severity import Severity, severity_of
from nproxy_mw.times import time_in, timestamp

MAX_RECORD = 4 * 2**20
"""Bytes of one record. The largest known ones, which list each version of a package, have some hundred kilobytes."""

ECOSYSTEM = "npm"
EMBEDDED_MALICIOUS_CODE = "CWE-506"

MAX_SUMMARY = 200  # characters
MAX_URL = 500  # characters

_RANGES = ("SEMVER", "ECOSYSTEM")  # for npm they mean the same; GIT ranges name commits
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
_URL = re.compile(rf"https?://[!-~]{{1,{MAX_URL}}}")


class _Package(msgspec.Struct):
    ecosystem: str
    name: str


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]] | None = None


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[dict[str, str]] | None = None
    ecosystem_specific: dict[str, Any] | None = None
    database_specific: dict[str, Any] | None = None


class _Reference(msgspec.Struct):
    type: str = ""
    url: str = ""


class _Record(msgspec.Struct):
    id: str
    modified: str
    published: str | None = None
    withdrawn: str | None = None
    aliases: list[str] | None = None
    summary: str | None = None
    affected: list[_Affected] | None = None
    references: list[_Reference] | None = None
    severity: list[dict[str, str]] | None = None
    database_specific: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Record)


class ParsedRecord(msgspec.Struct, frozen=True):
    """One record: what it says about each npm package, and when it was modified, in the form of `timestamp`.

    No advisories: it was withdrawn, or is about no npm package.
    """

    id: str
    modified: str
    advisories: tuple[Advisory, ...] = ()


def parse_record(data: bytes | msgspec.Raw) -> ParsedRecord:
    """Returns the record that *data* holds as JSON.

    Raises:
        ValueError: it is too large, not JSON, or does not follow the schema.
    """
    if len(memoryview(data)) > MAX_RECORD:
        raise ValueError(f"An OSV record has more than {MAX_RECORD} bytes.")
    try:
        record = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("This is not an OSV record.") from error
    modified = time_in(record.modified)
    if not is_id(record.id) or modified is None:
        raise ValueError("An OSV record has an id of letters, digits and '-', and a time when it was modified.")
    return ParsedRecord(record.id, timestamp(modified), () if record.withdrawn else tuple(_advisories(record)))


def is_id(text: str) -> bool:
    """Whether *text* can be a record's id: it also stands in URLs and file names."""
    return _ID.fullmatch(text) is not None


def _advisories(record: _Record) -> Iterator[Advisory]:
    """One advisory for each package and severity: entries that differ in neither are one."""
    entries: dict[tuple[str, Severity], list[_Affected]] = {}
    for affected in record.affected or ():
        if affected.package and affected.package.ecosystem == ECOSYSTEM:
            severity = severity_of(
                (affected.severity or (), record.severity or ()),
                (affected.database_specific, affected.ecosystem_specific, record.database_specific),
            )
            entries.setdefault((affected.package.name, severity), []).append(affected)
    for (name, severity), several in entries.items():
        yield _advisory(record, name, severity, several)


def _advisory(record: _Record, name: str, severity: Severity, several: Sequence[_Affected]) -> Advisory:
    documents = [record.database_specific, *(one.database_specific for one in several)]
    cwes = tuple(dict.fromkeys(cwe for document in documents for cwe in _cwes(document or {})))
    versions = (version for one in several for version in one.versions or ())
    ranges = (_events(found) for one in several for found in one.ranges or () if found.type in _RANGES)
    return Advisory(
        package=name,
        id=record.id,
        kind=MALWARE if _is_malware(record, cwes) else VULNERABILITY,
        summary=" ".join((record.summary or "")[: 2 * MAX_SUMMARY].split())[:MAX_SUMMARY],
        severity=severity.level,
        published=time_in(record.published or ""),
        versions=tuple(dict.fromkeys(versions)),
        ranges=tuple(dict.fromkeys(ranges)),
        integrities=tuple(dict.fromkeys(text for one in several for text in _integrities(one))),
        aliases=tuple(record.aliases or ()),
        cwes=cwes,
        vector=severity.vector,
        score=severity.score,
        url=_url(record.references or ()),
    )


def _events(one: _Range) -> tuple[tuple[str, str], ...]:
    return tuple((event, version) for events in one.events or () for event, version in events.items())


def _is_malware(record: _Record, cwes: Sequence[str]) -> bool:
    names = (record.id, *(record.aliases or ()))
    return any(name.startswith("MAL-") for name in names) or EMBEDDED_MALICIOUS_CODE in cwes


def _cwes(document: dict[str, Any]) -> Iterator[str]:
    """The weaknesses that a database names: GitHub's ``cwe_ids``, or the ``cwes`` of malicious-packages."""
    yield from (text for text in _listed(document, "cwe_ids") if isinstance(text, str))
    yield from (one["cweId"] for one in _objects(document, "cwes") if isinstance(one.get("cweId"), str))


def _integrities(affected: _Affected) -> Iterator[str]:
    """The tarballs that a database condemns, as ``dist.integrity`` writes them."""
    for document in (affected.database_specific or {}, affected.ecosystem_specific or {}):
        yield from (text for text in _listed(document, "integrity") if isinstance(text, str))
        indicators = document.get("indicators")
        for one in _objects(indicators if isinstance(indicators, dict) else {}, "package_integrity"):
            hashes = one.get("hashes")
            if isinstance(hashes, dict):
                yield from (text for text in (hashes.get("sha512_sri"), _sha1(hashes.get("sha1"))) if text)


def _sha1(digest: object) -> str | None:
    with suppress(ValueError):
        if isinstance(digest, str) and len(digest) == 40:
            return f"sha1-{base64.b64encode(bytes.fromhex(digest)).decode()}"
    return None


def _url(references: Iterable[_Reference]) -> str:
    urls = [(one.type != "ADVISORY", one.url) for one in references if _URL.fullmatch(one.url)]
    return min(urls, key=lambda found: found[0])[1] if urls else ""


def _listed(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else [value]


def _objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [one for one in _listed(document, key) if isinstance(one, dict)]
