"""The calls about upstream packages: why a version is allowed or held, and who fetched it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeAlias

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.http.messages import Response
from nproxy_mw.ledger.query import find
from nproxy_mw.ledger.wanted import wanted
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.reading import whole_in
from nproxy_mw.npm.routes import Kind, parse_route
from nproxy_mw.rules.values import InvalidFields
from nproxy_mw.times import parse_time

FirewallOf: TypeAlias = Callable[[str], Firewall | None]
"""Returns the rules of the organization of that id; None when there is no upstream."""

MAX_INSTALLS = 10_000
"""Entries of one answer."""

INSTALLS = 1_000
"""Entries of one answer by default."""

SPAN = timedelta(days=30)
"""What is looked at when a question does not say from when."""

MAX_SPAN = timedelta(days=400)
"""What one question may be about."""


def explain(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns what each rule says of a version, or what holds for the newest versions of a package."""
    call.query()
    route, firewall = parse_route(f"/{call.rest}"), firewall_of(organization.id)
    if route.kind not in (Kind.PACKUMENT, Kind.MANIFEST):
        raise NotFound("An explanation is about a package, or one of its versions.", code="route-not-found")
    if route.package.scope in organization.settings.get().internal_scopes:
        raise NotFound("This package is internal: no rule is about it.", code="internal-package")
    if firewall is None:
        raise NotFound("This server has no upstream, so there is nothing that rules are about.", code="no-upstream")
    return reply(firewall.explain(route.package, route.version))


def installs(call: Call, organization: Tenant) -> Response:
    """Returns who fetched what between two moments, oldest day first."""
    query = call.query("package", "version", "from", "to", "token", "limit")
    limit = whole_in(query, "limit", INSTALLS, MAX_INSTALLS)
    until = _moment(query, "to") or datetime.now(UTC)
    since = _moment(query, "from") or until - SPAN
    if until - since > MAX_SPAN:
        raise InvalidFields({"from": f"Ask for at most {MAX_SPAN.days} days at once."}, code="invalid-span")
    try:
        asked = wanted(
            package=query.get("package", ""), versions=query.get("version", ""), token=query.get("token", "")
        )
    except BadRequest as error:
        raise InvalidFields({"version": error.message}, code=error.code) from error
    found = list(islice(find(organization.ledger.storage, since, until, asked), limit + 1))
    return reply({"installs": [one.to_document() for one in found[:limit]], "isComplete": len(found) <= limit})


def _moment(query: dict[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    try:
        return parse_time(query[name])
    except ValueError as error:
        sentence = "This is a time with its zone, like 2026-11-26T12:00:00Z."
        raise InvalidFields({name: sentence}, code="invalid-time") from error
