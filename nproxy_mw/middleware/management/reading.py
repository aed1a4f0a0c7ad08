"""The audit trail, and what calls that answer in pages have in common."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from nproxy_mw.access import Role
from nproxy_mw.audit.pages import MAX_LIMIT, check_span, lies_ahead
from nproxy_mw.errors import invalid_cursor
from nproxy_mw.http.messages import NO_STORE, Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import CURSOR, MAYBE_TEXT, TEXT, TIME, YES_OR_NO, a_list, an_object, ref
from nproxy_mw.npm.names import MAX_LENGTH
from nproxy_mw.orgs.trail_reports import MAX_EXPORT, MAX_VERIFIED, ExportFormat, TrailExport, verified
from nproxy_mw.rules.values import InvalidFields, field_at
from nproxy_mw.times import parse_time, utc_now
from nproxy_mw.whole_numbers import whole_number

Choice = TypeVar("Choice", bound=StrEnum)

_CHECKPOINT = {"type": ["object", "null"]}
_FILTERS = {"event": TEXT, "package": TEXT, "by": TEXT, "from": TIME, "to": TIME}
PAGE = 50  # entries of a page by default
PAGE_SCHEMA: dict[str, Any] = {"limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": PAGE}}


def audit(call: Call, organization: Tenant) -> Response:
    """Returns one page of the audit trail, newest first."""
    query = call.query("after", "limit", *_FILTERS)
    limit, filters = limit_in(query), _filters_in(query)
    refuse_future(query.get("after", ""))
    with field_at("after"):
        events, cursor = organization.trail.page(after=query.get("after"), limit=limit, **filters)
    return reply({"events": events, "next": cursor})


def export(call: Call, organization: Tenant) -> Response:
    """Returns the newest events as a file, made while it is sent."""
    query = call.query("format", "after", "limit", *_FILTERS)
    kind, limit = choice_in(query, "format", ExportFormat.JSON), whole_in(query, "limit", MAX_EXPORT, MAX_EXPORT)
    filters, after = _filters_in(query), query.get("after")
    with field_at("after"):
        body = TrailExport(organization.trail, kind, after=after, limit=limit, **filters)
    return Response(200, [("Content-Type", kind.content_type), *NO_STORE], body)


def verify(call: Call, organization: Tenant) -> Response:
    """Verifies the whole trail; takes a checkpoint when it is sound, and returns the newest one."""
    call.query()
    found = verified(organization.trail, organization.keys, actor=call.actor)
    findings = [{"where": one.where, "event": one.index, "what": one.what} for one in found.findings]
    return reply({"isSound": not findings, "findings": findings, "checkpoint": found.checkpoint})


def limit_in(query: dict[str, str]) -> int:
    """Returns how many entries a page may have. Raises `InvalidFields`."""
    return whole_in(query, "limit", PAGE, MAX_LIMIT)


def whole_in(query: dict[str, str], name: str, default: int, highest: int) -> int:
    """Returns the parameter *name*, a whole number from 1 to *highest*. Raises `InvalidFields`."""
    text = query.get(name, str(default))
    number = whole_number(text, digits=9)
    if number is None or not 1 <= number <= highest:
        raise InvalidFields({name: f"This is a whole number from 1 to {highest}."}, code=f"invalid-{name}")
    return number


def text_in(query: dict[str, str]) -> str:
    """Returns the parameter ``text``, a part of packages' names. Raises `InvalidFields`."""
    text = query.get("text", "")
    if len(text) > MAX_LENGTH:
        raise InvalidFields({"text": f"This has at most {MAX_LENGTH} characters, as a name has."}, code="invalid-text")
    return text


def choice_in(query: dict[str, str], name: str, default: Choice) -> Choice:
    """Returns the parameter *name*, one of the choices that *default* is one of. Raises `InvalidFields`."""
    choices = type(default)
    try:
        return choices(query.get(name, default))
    except ValueError as error:
        raise InvalidFields({name: f"This is {' or '.join(choices)}."}, code=f"invalid-{name}") from error


def _filters_in(query: dict[str, str]) -> dict[str, Any]:
    """Returns which events are asked for, as `Trail.page` takes it. Raises `InvalidFields`."""
    since, until = _time_in(query, "from"), _time_in(query, "to")
    with field_at("from"):
        check_span(since, until)
    return {**{name: query.get(name) for name in ("event", "package", "by")}, "since": since, "until": until}


def _time_in(query: dict[str, str], name: str) -> datetime | None:
    """Returns the parameter *name*, a time; None when it is not given. Raises `InvalidFields`."""
    try:
        return parse_time(query[name]) if name in query else None
    except ValueError as error:
        sentence = "This is a time with its zone, such as 2026-11-26T12:00:00Z."
        raise InvalidFields({name: sentence}, code=f"invalid-{name}") from error


def refuse_future(cursor: str) -> None:
    """Refuses a cursor that no page can have returned."""
    if lies_ahead(cursor, utc_now()):
        with field_at("after"):
            raise invalid_cursor()


OPERATIONS = (
    Operation(
        "GET",
        "/orgs/{orgId}/audit",
        "listEvents",
        "One page of the audit trail, newest first; `next` is given as `after` for the next page",
        OfOrganization(audit, Role.READER),
        an_object({"events": a_list(ref("Event")), "next": MAYBE_TEXT}),
        query=PAGE_SCHEMA | {"after": CURSOR} | _FILTERS,
    ),
    Operation(
        "GET",
        "/orgs/{orgId}/audit/export",
        "exportTrail",
        "The newest events as a file: JSON lines, or CSV; `nproxy-mw audit export` writes all of them",
        OfOrganization(export, Role.READER),
        query={
            "format": {"enum": list(ExportFormat), "default": ExportFormat.JSON},
            "after": CURSOR,
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_EXPORT, "default": MAX_EXPORT},
        }
        | _FILTERS,
    ),
    Operation(
        "POST",
        "/orgs/{orgId}/audit/verify",
        "verifyTrail",
        f"Verifies the whole trail of at most {MAX_VERIFIED:,} packages, and takes a checkpoint when it is sound",
        OfOrganization(verify, Role.READER),
        an_object({"isSound": YES_OR_NO, "findings": a_list(ref("Finding")), "checkpoint": _CHECKPOINT}),
    ),
)
