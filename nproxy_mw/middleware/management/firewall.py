"""The calls about upstream packages: why a version is allowed or held, and who fetched it."""

from __future__ import annotations

from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.firewall.questions import InstallQuestion, explained, found_installs
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.reading import whole_in
from nproxy_mw.npm.routes import Kind, parse_route
from nproxy_mw.times import utc_now

MAX_INSTALLS = 10_000
"""Entries of one answer."""

INSTALLS = 1_000
"""Entries of one answer by default."""


def explain(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns what each rule says of a version, or what holds for the newest versions of a package."""
    call.query()
    route = parse_route(f"/{call.rest}")
    if route.kind not in (Kind.PACKUMENT, Kind.MANIFEST):
        raise NotFound("An explanation is about a package, or one of its versions.", code="route-not-found")
    scopes = organization.settings.get().internal_scopes
    return reply(explained(firewall_of(organization.id), scopes, route.package, route.version))


def installs(call: Call, organization: Tenant) -> Response:
    """Returns who fetched what between two moments, oldest day first."""
    query = call.query("package", "version", "from", "to", "token", "limit")
    limit = whole_in(query, "limit", INSTALLS, MAX_INSTALLS)
    asked = InstallQuestion(
        package=query.get("package", ""),
        versions=query.get("version", ""),
        token=query.get("token", ""),
        since=query.get("from"),
        until=query.get("to"),
    )
    found, is_complete = found_installs(organization.ledger.storage, asked, utc_now(), limit)
    return reply({"installs": [one.to_document() for one in found], "isComplete": is_complete})
