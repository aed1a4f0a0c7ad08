"""The audit trail: events with filters, its verification, and its export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from nproxy_mw.audit.checkpoints import Checkpoints
from nproxy_mw.audit.events import CheckFinding
from nproxy_mw.audit.verify import all_chains, verify
from nproxy_mw.errors import BadRequest
from nproxy_mw.firewall.events import KINDS as RULE_KINDS
from nproxy_mw.json_values import Json
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.middleware.dashboard.tables import csv_file, json_file
from nproxy_mw.orgs.organization import Organization

LENGTH = 50  # events of a page
MAX_EXPORT = 10_000  # events of a file; 'nproxy-mw audit export' writes all of them
MAX_VERIFIED = 2000  # packages whose chains are read at a request
MAX_FINDINGS = 100
KINDS = (
    *("package.published", "package.signed", "package.unpublished", "package.tagged", "package.untagged"),
    *("package.deprecated", "settings.changed", "token.created", "token.revoked", "key.created", "key.rotated"),
    *("organization.created", "exception.requested", "exception.approved", "exception.denied"),
    *RULE_KINDS,
)
COLUMNS = ("time", "event", "package", "version", "by", "tokenHash", "ip", "userAgent", "requestId", "id")

_KIND = re.compile(r"[a-z]+(\.[a-z-]+)+", re.ASCII)
_SHOWN = frozenset({*COLUMNS, "org", "previous", "hash"})


def show(request: PageRequest) -> Answer:
    """Returns a page of events, newest first."""
    filters = _filters(request)
    after = request.query.text("after") or None
    refuse_future(after or "")
    events, cursor = request.organization.trail.page(after=after, limit=LENGTH, **filters)
    return _page(request, {"events": [(event, _more(event)) for event in events], "next": cursor, "after": after})


def check(request: PageRequest) -> Answer:
    """Verifies the whole trail, and takes a checkpoint when it is sound."""
    organization = request.organization
    if len(request.site.package_names.of(organization.id, organization.storage)) > MAX_VERIFIED:
        raise BadRequest(
            f"With more than {MAX_VERIFIED:,} packages this takes too long for a page: run 'nproxy-mw audit verify'."
        )
    findings = list(islice(_findings(organization), MAX_FINDINGS))
    if not findings:
        signer = organization.keys.checkpoint_signer(actor=request.actor)
        checkpoints = Checkpoints(organization.storage, org=organization.id)
        checkpoints.take(all_chains(organization.trail), signer)
        return Redirect(request.here("audit"), "trail-verified")
    return Page("audit_findings.html", "The audit trail is not as it was written", {"findings": findings})


def export(request: PageRequest) -> Answer:
    """Returns the newest events as a file, in CSV or JSON lines."""
    filters, kind = _filters(request), request.query.text("format")
    events = list(islice(newest(request.organization, filters), MAX_EXPORT))
    name = f"{request.parts['org']}-audit-trail"
    if kind == "json":
        return json_file(name, events)
    rows = ([*(event.get(column, "") for column in COLUMNS), _more(event)] for event in events)
    return csv_file(name, [*COLUMNS, "more"], rows)


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


def newest(organization: Organization, filters: Mapping[str, Any]) -> Iterator[Json]:
    """Yields the newest events, up to `MAX_EXPORT`."""
    cursor: str | None = None
    for _ in range(MAX_EXPORT // 200):
        events, cursor = organization.trail.page(after=cursor, limit=200, **filters)
        yield from events
        if cursor is None:
            return


def _findings(organization: Organization) -> Iterator[CheckFinding]:
    checkpoints = Checkpoints(organization.storage, org=organization.id)
    chains = all_chains(organization.trail)
    yield from verify(organization.trail, chains, checkpoints, organization.keys.public_keys())


def _more(event: Json) -> str:
    """What an event says beyond the columns that all of them have."""
    rest = {key: value for key, value in event.items() if key not in _SHOWN}
    if all(isinstance(value, str) for value in rest.values()):
        return ", ".join(f"{key}: {value}" for key, value in rest.items())
    return orjson.dumps(rest).decode()
