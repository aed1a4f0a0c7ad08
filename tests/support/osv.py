"""OSV records in the form of the schema, and archives of them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from nproxy_mw.intelligence.advisories import Advisory
from nproxy_mw.intelligence.osv_records import parse_record

CVSS3_CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"  # 9.8
CVSS3_LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"  # 1.8
CVSS4_HIGH = "CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N"  # 7.1


def events(*pairs: tuple[str, str], kind: str = "SEMVER") -> dict[str, Any]:
    """A range: ``("introduced", "0"), ("fixed", "1.2.3")``."""
    return {"type": kind, "events": [{event: version} for event, version in pairs]}


def affected(*ranges: Any, package: str = "left-pad", ecosystem: str = "npm", **members: Any) -> dict[str, Any]:
    """An entry of ``affected``."""
    return {"package": {"ecosystem": ecosystem, "name": package}, "ranges": list(ranges), **members}


def record(name: str = "GHSA-aaaa-bbbb-cccc", *entries: Any, **members: Any) -> dict[str, Any]:
    """A record about the packages of *entries*."""
    return {
        "schema_version": "1.7.4",
        "id": name,
        "modified": "2026-11-20T10:00:00Z",
        "published": "2026-11-19T10:00:00Z",
        "summary": "Prototype pollution",
        "affected": list(entries),
        **members,
    }


def malware(name: str, package: str, *versions: str, **members: Any) -> dict[str, Any]:
    """A record of malware as malicious-packages writes it: of these versions, or of all."""
    ranges = [] if versions else [events(("introduced", "0"))]
    cwe = {"cweId": "CWE-506", "name": "Embedded Malicious Code", "description": "The product contains malicious code."}
    entry = affected(*ranges, package=package, versions=list(versions), database_specific={"cwes": [cwe]})
    origin = {"source": "ghsa-malware", "sha256": "0" * 64, "import_time": "2026-11-20T10:00:00.123456789Z"}
    members = {"database_specific": {"malicious-packages-origins": [origin]}, **members}
    return record(name, entry, summary=f"Malicious code in {package} (npm)", **members)


def advisories(document: Any) -> tuple[Advisory, ...]:
    """What is kept of a record."""
    return parse_record(json.dumps(document).encode()).advisories


def advisory(*entries: Any, **members: Any) -> Advisory:
    """The one advisory of a record."""
    (found,) = advisories(record("GHSA-aaaa-bbbb-cccc", *entries, **members))
    return found


def archive(*records: Any, more: Mapping[str, bytes] | None = None) -> bytes:
    """A zip archive of records, as OSV's all.zip; *more* are other members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for one in records:
            file.writestr(f"{one['id']}.json", json.dumps(one))
        for name, data in (more or {}).items():
            file.writestr(name, data)
    return out.getvalue()
