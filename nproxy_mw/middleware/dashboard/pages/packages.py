"""The list of packages, from an index: a page costs the same however many there are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.pages import seen
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import MAX_LENGTH
from nproxy_mw.packages.search.queries import PackageSort, PagePosition

LENGTH = 50
SORTS = {PackageSort.NAME: "name", PackageSort.UPDATED: "last change"}


def show(request: PageRequest) -> Answer:
    """Returns a page of the packages whose names hold what was searched for; internal ones unless others are asked."""
    query, organization = request.query, request.organization
    has_upstream = request.site.firewall_of(organization.id) is not None
    if has_upstream and query.text("show") == seen.SHOWN:
        return seen.show(request)
    text, sort = query.text("q")[:MAX_LENGTH].lower(), _sort(query)
    found = organization.search_index.page(sort=sort, after=_position(query), text=text, size=LENGTH + 1)
    rows = found.summaries[:LENGTH]
    values = {
        "rows": rows,
        "has_upstream": has_upstream,
        "total": found.total,
        "is_complete": found.is_complete,
        "q": text,
        "sort": sort,
        "sorts": SORTS,
        "is_first": not query.text("after"),
        "first": urlencode({"q": text, "sort": sort.value}),
        "next": _next(rows[-1], text, sort) if len(found.summaries) > LENGTH else "",
        "scopes": organization.settings.get().internal_scopes,
    }
    return Page("packages.html", "Packages", values)


def _sort(query: SentForm) -> PackageSort:
    text = query.text("sort")
    return PackageSort(text) if text in set(PackageSort) else PackageSort.NAME


def _position(query: SentForm) -> PagePosition | None:
    """Where the page before ended: a name, and the time of its last change."""
    name = query.text("after")
    return PagePosition.parse(name, query.text("at")) if name else None


def _next(last: Json, text: str, sort: PackageSort) -> str:
    position: dict[str, Any] = {"after": last["name"], "at": last["modifiedAt"] or ""}
    return urlencode({"q": text, "sort": sort.value, **position})
