"""The calls that only read: the audit trail and the internal packages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from nproxy_mw.audit.index import MAX_LIMIT
from nproxy_mw.errors import BadRequest
from nproxy_mw.http.messages import Response
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.rules.values import InvalidFields

PAGE = 50  # entries of a page by default


def audit(call: Call, organization: Tenant) -> Response:
    """Returns one page of the audit trail, newest first."""
    query = call.query("after", "limit", "event", "package")
    limit = _limit(query)
    _refuse_future(query.get("after", ""))
    try:
        events, cursor = organization.trail.page(
            after=query.get("after"), limit=limit, event=query.get("event"), package=query.get("package")
        )
    except BadRequest as error:
        raise InvalidFields({"after": error.message}, code=error.code) from error
    return reply({"events": events, "next": cursor})


def list_packages(call: Call, organization: Tenant) -> Response:
    """Returns one page of the internal packages, by name."""
    query = call.query("after", "limit")
    limit, after = _limit(query), _name(query.get("after"))
    names = (name for name in organization.packages.names() if after is None or name > after)
    page = list(islice(names, limit + 1))
    return reply(
        {
            "packages": [_short(organization.packages.read(name)[0]) for name in page[:limit]],
            "next": str(page[limit - 1]) if len(page) > limit else None,
        }
    )


def show_package(call: Call, organization: Tenant) -> Response:
    """Returns one internal package and all its versions."""
    call.query()
    packument, _ = organization.packages.read(parse_name(call.rest))
    return reply(
        {
            **_short(packument),
            "createdAt": packument["time"].get("created"),
            "distTags": packument["dist-tags"],
            "versions": list(_versions(packument)),
        }
    )


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", str(PAGE))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= MAX_LIMIT:
        raise InvalidFields({"limit": f"This is a whole number from 1 to {MAX_LIMIT}."}, code="invalid-limit")
    return number


def _refuse_future(cursor: str) -> None:
    """Refuses a cursor that no page can have returned: the trail would be searched day by day up to it."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y%m%d")
    if cursor[:8] > tomorrow:
        raise InvalidFields({"after": "This is 'next' of the page before."}, code="invalid-cursor")


def _name(text: str | None) -> Name | None:
    if text is None:
        return None
    try:
        return parse_name(text)
    except BadRequest as error:
        raise InvalidFields({"after": "This is 'next' of the page before."}, code="invalid-cursor") from error


def _short(packument: Json) -> dict[str, Any]:
    return {
        "name": packument["name"],
        "description": packument.get("description") or "",
        "latest": packument["dist-tags"].get("latest"),
        "versionCount": len(packument["versions"]),
        "modifiedAt": packument["time"].get("modified"),
    }


def _versions(packument: Json) -> Iterator[dict[str, Any]]:
    for version, manifest in packument["versions"].items():
        yield {
            "version": version,
            "publishedAt": packument["time"].get(version),
            "publishedBy": manifest.get("_npmUser", {}).get("name"),
            "integrity": manifest["dist"].get("integrity"),
            "size": manifest["dist"].get("unpackedSize"),
            "deprecated": manifest.get("deprecated") or None,
        }
