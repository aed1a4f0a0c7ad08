"""The calls about upstream packages: why a version is allowed or held, and who fetched it."""

from __future__ import annotations

from functools import partial
from typing import Any

from nproxy_mw.access import Role
from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.firewall.questions import InstallQuestion, explained, found_installs
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.reading import whole_in
from nproxy_mw.middleware.management.schemas import TEXT, TIME, YES_OR_NO, a_list, an_object, ref
from nproxy_mw.npm.routes import Kind, parse_route
from nproxy_mw.times import utc_now

MAX_INSTALLS = 10_000
"""Entries of one answer."""

INSTALLS = 1_000
"""Entries of one answer by default."""


def explain(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns what each rule says of a version, or what holds for the newest versions of a package."""
    call.query()
    route = parse_route("/".join(["", call.path["name"], *filter(None, [call.path.get("version")])]))
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


_PATH = "/orgs/{orgId}/explain/{name}"
_EXPLANATION: dict[str, Any] = {"type": "object"}

_INSTALLS = Operation(
    "GET",
    "/orgs/{orgId}/installs",
    "listInstalls",
    "Who fetched which version, when and how often, oldest day first; `version` may be a range. Without `from`, "
    "the last 30 days. Where it is not complete, ask for less at once",
    OfOrganization(installs, Role.READER),
    an_object({"installs": a_list(ref("Install")), "isComplete": YES_OR_NO}),
    query={
        "package": TEXT,
        "version": TEXT,
        "from": TIME,
        "to": TIME,
        "token": TEXT,
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_INSTALLS, "default": INSTALLS},
    },
)


def operations(firewall_of: FirewallOf) -> tuple[Operation, ...]:
    """Returns the calls about the rules of each organization that *firewall_of* finds, and about installs."""
    access = OfOrganization(partial(explain, firewall_of), Role.READER)
    return (
        Operation(
            "GET",
            _PATH,
            "explainPackage",
            "What the rules decided about an upstream package: its tags, and its newest versions with a verdict each",
            access,
            _EXPLANATION,
            refusals="502 504",
        ),
        Operation(
            "GET",
            f"{_PATH}/{{version}}",
            "explainVersion",
            "What each rule says of one version of an upstream package, named by its number or a tag",
            access,
            _EXPLANATION,
            refusals="502 504",
        ),
        _INSTALLS,
    )
