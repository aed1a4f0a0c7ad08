"""The audit trail: events with filters, its verification, and its export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.events import KINDS as RULE_KINDS
from nproxy_mw.middleware.dashboard.answers import Answer, Download, Page, Redirect
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.trail_reports import MAX_EXPORT, ExportFormat, TrailExport, more_of, verified

LENGTH = 50  # events of a page
KINDS = (
    *("package.published", "package.signed", "package.unpublished", "package.tagged", "package.untagged"),
    *("package.deprecated", "settings.changed", "token.created", "token.revoked", "key.created", "key.rotated"),
    *("organization.created", "exception.requested", "exception.approved", "exception.denied"),
    *RULE_KINDS,
)

_KIND = re.compile(r"[a-z]+(\.[a-z-]+)+", re.ASCII)


def show(request: PageRequest) -> Answer:
    """Returns a page of events, newest first."""
    filters = _filters(request)
    after = request.query.text("after") or None
    refuse_future(after or "")
    events, cursor = request.organization.trail.page(after=after, limit=LENGTH, **filters)
    return _page(request, {"events": [(event, more_of(event)) for event in events], "next": cursor, "after": after})


def check(request: PageRequest) -> Answer:
    """Verifies the whole trail, and takes a checkpoint when it is sound."""
    found = verified(request.organization.trail, request.organization.keys, actor=request.actor)
    if not found.findings:
        return Redirect(request.here("audit"), "trail-verified")
    return Page("audit_findings.html", "The audit trail is not as it was written", {"findings": found.findings})


def export(request: PageRequest) -> Answer:
    """Returns the newest events as a file, in CSV or JSON lines."""
    kind = ExportFormat.JSON if request.query.text("format") == ExportFormat.JSON else ExportFormat.CSV
    body = TrailExport(request.organization.trail, kind, **_filters(request))
    return Download(f"{request.parts['org']}-audit-trail.{kind.ending}", kind.content_type, body)


def _page(request: PageRequest, more: Mapping[str, Any]) -> Page:
    checkpoints = Checkpoints(request.organization.storage, org=request.parts["org"])
    filters = _filters(request)
    values = {
        "kinds": KINDS,
        "kind": filters["event"] or "",
        "package": filters["package"] or "",
        "checkpoint": checkpoints.newest(),
        "max_export": MAX_EXPORT,
        **more,
    }
    return Page("audit.html", "Audit trail", values)


def _filters(request: PageRequest) -> dict[str, Any]:
    kind, package = request.query.text("event"), request.query.text("package")[:214]
    if kind and not _KIND.fullmatch(kind):
        raise BadRequest("That is not a kind of event, such as package.published.")
    return {"event": kind or None, "package": package or None}


def refuse_future(cursor: str) -> None:
    """Raises `BadRequest` for a cursor that no page can have shown: the trail would be searched up to its day."""
    if cursor[:8] > (datetime.now(UTC) + timedelta(days=1)).strftime("%Y%m%d"):
        raise BadRequest("That page does not exist: go back to the newest events.")
