"""The list of internal packages."""

from __future__ import annotations

from dataclasses import dataclass

from nproxy_mw.errors import NotFound
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.paging import ListPage, page_of
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import parse_name
from nproxy_mw.packages.store import PackageStore

MAX_QUERY = 214  # characters: no name is longer


@dataclass(frozen=True, slots=True)
class PackageRow:
    """One package as the list shows it. *latest* is empty for one that is unpublished."""

    name: str
    description: str = ""
    latest: str = ""
    versions: int = 0
    modified: str = ""


def show(request: PageRequest) -> Answer:
    """Returns a page of the packages whose names hold what was searched for."""
    organization, words = request.organization, request.query.text("q")[:MAX_QUERY].lower()
    names = request.site.package_names.of(organization.id, organization.storage)
    found = [name for name in names if words in name] if words else names
    page = page_of(found, request.query.text("page"))
    rows = [_row(organization.packages, name) for name in page.entries]
    values = {
        "page": ListPage(rows, page.number, page.total),
        "q": words,
        "total": len(names),
        "scopes": organization.settings.get().internal_scopes,
    }
    return Page("packages.html", "Packages", values)


def _row(packages: PackageStore, name: str) -> PackageRow:
    try:
        packument, _ = packages.read(parse_name(name))
    except NotFound:
        return PackageRow(name)
    return PackageRow(
        name,
        str(packument.get("description") or ""),
        str(packument["dist-tags"].get("latest", "")),
        len(packument["versions"]),
        str(packument["time"].get("modified", "")),
    )
