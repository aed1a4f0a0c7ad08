"""The calls about internal packages: a list in pages, and one package with its versions.

The list comes from the search index, so a page costs the same however many packages there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nproxy_mw.access import Role
from nproxy_mw.http.messages import Response
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.reading import PAGE_SCHEMA, choice_in, limit_in, text_in
from nproxy_mw.middleware.management.schemas import (
    COUNT,
    MAYBE_TEXT,
    PACKAGE_CURSOR,
    PACKAGE_TEXT,
    YES_OR_NO,
    a_list,
    an_object,
    ref,
)
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.summaries import summary
from nproxy_mw.packages.search.queries import PackageSort, PagePosition
from nproxy_mw.rules.values import field_at


def list_packages(call: Call, organization: Tenant) -> Response:
    """Returns one page of the internal packages, by name or by their last change.

    ``text`` keeps those that have it in their names.
    """
    query = call.query("after", "limit", "sort", "text")
    limit, sort, text = limit_in(query), choice_in(query, "sort", PackageSort.NAME), text_in(query)
    after = _position(query["after"]) if "after" in query else None
    found = organization.search_index.page(sort=sort, after=after, text=text, size=limit + 1)
    shown = found.summaries[:limit]
    return reply(
        {
            "packages": list(map(_short, shown)),
            "next": _cursor(shown[-1], sort) if len(found.summaries) > limit else None,
            "total": found.total,
            "isComplete": found.is_complete,
        }
    )


def show_package(call: Call, organization: Tenant) -> Response:
    """Returns one internal package and all its versions."""
    call.query()
    packument, _ = organization.packages.read(parse_name(call.path["name"]))
    return reply(
        {
            **_short(summary(packument)),
            "createdAt": packument["time"].get("created"),
            "distTags": packument["dist-tags"],
            "versions": list(_versions(packument)),
        }
    )


def _cursor(last: Json, sort: PackageSort) -> str:
    return last["name"] if sort is PackageSort.NAME else f"{last['modifiedAt'] or ''},{last['name']}"


def _position(cursor: str) -> PagePosition:
    """Returns where the page before ended: a name, after the time of its last change and a comma."""
    time, _, name = cursor.rpartition(",")
    with field_at("after"):
        return PagePosition.parse(name, time)


def _short(found: Json) -> dict[str, Any]:
    return {key: found[key] for key in ("name", "description", "latest", "versionCount", "modifiedAt")} | {
        "deprecated": found["deprecated"] or None
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


_PATH = "/orgs/{orgId}/packages"

OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listPackages",
        "A page of the packages that have `text` in their names; `next` is given as `after` for the next page",
        OfOrganization(list_packages, Role.READER),
        an_object({"packages": a_list(ref("Package")), "next": MAYBE_TEXT, "total": COUNT, "isComplete": YES_OR_NO}),
        query=PAGE_SCHEMA | {"after": PACKAGE_CURSOR, "sort": {"enum": sorted(PackageSort)}, "text": PACKAGE_TEXT},
    ),
    Operation(
        "GET",
        f"{_PATH}/{{name}}",
        "showPackage",
        "One internal package",
        OfOrganization(show_package, Role.READER),
        ref("WholePackage"),
    ),
)
