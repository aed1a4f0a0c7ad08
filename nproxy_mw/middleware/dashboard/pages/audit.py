"""The audit trail: events with filters, its verification, and its export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.pages import lies_ahead
from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.events import KINDS as RULE_KINDS
from nproxy_mw.middleware.dashboard.answers import Answer, Download, Page, Redirect
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.orgs.trail_reports import MAX_EXPORT, ExportFormat, TrailExport, more_of, verified
from nproxy_mw.rules.values import shown
from nproxy_mw.times import parse_moment, utc_now

LENGTH = 50  # events of a page
KINDS = (
    *("package.published", "package.signed", "package.unpublished", "package.tagged", "package.untagged"),
    *("package.deprecated", "settings.changed", "token.created", "token.revoked", "key.created", "key.rotated"),
    *("organization.created", "exception.requested", "exception.approved", "exception.denied"),
    *RULE_KINDS,
)

FILTERS = ("event", "package", "by", "from", "to")
MAX_TEXT = 214  # characters of a filter

_KIND = re.compile(r"[a-z]+(\.[a-z-]+)+", re.ASCII)


def show(request: PageRequest) -> Answer:
    """Returns a page of events, newest first."""
    after = request.query.text("after") or None
    try:
        refuse_future(after or "")
        events, cursor = request.organization.trail.page(after=after, limit=LENGTH, **_filters(request))
    except BadRequest as error:
        return _page(request, {"events": [], "next": None, "after": after}, error.message)
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


def _page(request: PageRequest, more: Mapping[str, Any], problem: str = "") -> Page:
    checkpoints = Checkpoints(request.organization.storage, org=request.parts["org"])
    asked = {name: request.query.text(name)[:MAX_TEXT] for name in FILTERS}
    values = {
        "kinds": KINDS,
        "asked": asked,
        "filters": urlencode({name: value for name, value in asked.items() if value}),
        "checkpoint": checkpoints.newest(),
        "max_export": MAX_EXPORT,
        "problem": problem,
        **more,
    }
    return Page("audit.html", "Audit trail", values, 400 if problem else 200)


def _filters(request: PageRequest) -> dict[str, Any]:
    """Which events are asked for, as `Trail.page` takes it."""
    kind = request.query.text("event")
    if kind and not _KIND.fullmatch(kind):
        raise BadRequest("That is not a kind of event, such as package.published.")
    since, until = _typed_time(request, "from"), _typed_time(request, "to")
    if since is not None and until is not None and since > until:
        raise BadRequest("The time ends before it begins: write the earlier one under From.")
    texts = {name: request.query.text(name)[:MAX_TEXT] or None for name in ("package", "by")}
    return {"event": kind or None, **texts, "since": since, "until": until}


def _typed_time(request: PageRequest, name: str) -> datetime | None:
    text = request.query.text(name)
    try:
        return parse_moment(text, utc_now()) if text else None
    except ValueError as error:
        raise BadRequest(
            f"'{shown(text)}' is not a time such as 2026-11-26T12:00:00Z, a day such as 2026-11-26, or how long ago, "
            "such as 7d."
        ) from error


def refuse_future(cursor: str) -> None:
    """Raises `BadRequest` for a cursor that no page can have shown."""
    if lies_ahead(cursor, utc_now()):
        raise BadRequest("That page does not exist: go back to the newest events.")
