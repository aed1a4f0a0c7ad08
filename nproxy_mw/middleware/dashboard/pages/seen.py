"""The list of packages that were fetched from the upstream, from an index of the ledger of installs."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from nproxy_mw.firewall.seen import FetchedPackage, fetched_page
from nproxy_mw.ledger.seen_tables import SeenPosition, SeenQuestion, SeenSort
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.forms import SentForm
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.texts import fitting
from nproxy_mw.npm.names import MAX_LENGTH

SHOWN = "upstream"
"""What the query of the page Packages says to show these."""

LENGTH = 50
ROOM = 45_000  # bytes of the rows: old packages have names whose marks become six characters each
SORTS = {SeenSort.NAME: "name", SeenSort.FETCHED: "last fetch"}
VERSION = 100  # bytes of a version


def show(request: PageRequest) -> Answer:
    """Returns a page of the packages whose names hold what was searched for."""
    query, organization = request.query, request.organization
    text, sort = query.text("q")[:MAX_LENGTH].lower(), _sort(query)
    found = fetched_page(
        organization.seen_index,
        request.site.firewall_of(organization.id),
        organization.settings.get().internal_scopes,
        SeenQuestion(sort, _position(query), text, LENGTH),
    )
    rows = fitting(found.packages, _texts, ROOM)
    following = found.next if len(rows) == len(found.packages) else rows[-1].position
    shown = {"show": SHOWN, "q": text, "sort": sort.value}
    values = {
        "rows": rows,
        "total": found.total,
        "counted": found.counted,
        "shown": SHOWN,
        "q": text,
        "sort": sort,
        "sorts": SORTS,
        "version_room": VERSION,
        "is_first": not query.text("after"),
        "first": urlencode(shown),
        "next": urlencode({**shown, "after": following.name, "at": following.last}) if following else "",
    }
    return Page("packages_seen.html", "Packages", values)


def _texts(row: FetchedPackage) -> list[str]:
    """What a row shows: the name twice and in three links, the version once and in a link."""
    name = quote(row.name)
    return [row.name, row.name, name, name, name, row.newest[:VERSION], quote(row.newest), " " * 300]


def _sort(query: SentForm) -> SeenSort:
    text = query.text("sort")
    return SeenSort(text) if text in set(SeenSort) else SeenSort.NAME


def _position(query: SentForm) -> SeenPosition | None:
    """Where the page before ended: a name, and when it was fetched last."""
    name = query.text("after")
    return SeenPosition.parse(name, query.text("at")) if name else None
