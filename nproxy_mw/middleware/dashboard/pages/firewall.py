"""What the security rules decided: their events in the audit trail, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.events import KINDS
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Download, Page
from nproxy_mw.middleware.dashboard.pages.audit import refuse_future
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import MAX_LENGTH
from nproxy_mw.orgs.trail_reports import ExportFormat, TrailExport

LENGTH = 50  # events of a page
MAX_EXPORT = 10_000  # events of a file
COLUMNS = ("time", "event", "package", "packages", "versions", "count", "rule", "reason", "until", "id")
MAX_NAMED = 5  # packages and versions that a row names


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One event. *packages* and *versions* are the first of them; *count* is how many the event is about."""

    time: str
    kind: str
    packages: list[str]
    versions: list[str]
    count: int
    rule: str
    reason: str
    until: str

    @property
    def is_one_version(self) -> bool:
        """Whether the event is about a single version, which has an explanation of its own."""
        return len(self.versions) == 1 and self.count == 1


def show(request: PageRequest) -> Answer:
    """Returns a page of decisions."""
    filters, after = _filters(request), request.query.text("after") or None
    refuse_future(after or "")
    events, cursor = request.organization.trail.page(after=after, limit=LENGTH, **filters)
    values = {
        "kinds": KINDS,
        "kind": request.query.text("kind"),
        "package": filters["package"] or "",
        "rows": [_row(event) for event in events],
        "after": after,
        "next": cursor,
        "max_export": MAX_EXPORT,
    }
    return Page("firewall.html", "Firewall", values)


def export(request: PageRequest) -> Answer:
    """Returns the newest decisions as a file, in CSV or JSON lines."""
    kind = ExportFormat.JSON if request.query.text("format") == ExportFormat.JSON else ExportFormat.CSV
    body = TrailExport(request.organization.trail, kind, columns=COLUMNS, limit=MAX_EXPORT, **_filters(request))
    return Download(f"{request.parts['org']}-decisions.{kind.ending}", kind.content_type, body)


def _filters(request: PageRequest) -> dict[str, Any]:
    kind, package = request.query.text("kind"), request.query.text("package")[:MAX_LENGTH]
    if kind and kind not in KINDS:
        raise BadRequest("There is no such kind of decision: choose one from the list.")
    return {"event": kind or KINDS, "package": package or None}


def _row(event: Json) -> DecisionRow:
    versions = _texts(event.get("versions"))
    packages = [str(event["package"])] if "package" in event else _texts(event.get("packages"))
    count = event.get("count")
    return DecisionRow(
        str(event.get("time", "")),
        str(event.get("event", "")),
        packages[:MAX_NAMED],
        versions[::-1][:MAX_NAMED],  # an event has the newest one last
        count if isinstance(count, int) else len(versions or packages),
        str(event.get("rule", "")),
        str(event.get("reason", "")),
        str(event.get("until", "")),
    )


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
