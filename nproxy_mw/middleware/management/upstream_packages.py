"""The calls about what an organization has of packages: those fetched from the upstream, and how much is stored."""

from __future__ import annotations

from functools import partial
from typing import Any

from nproxy_mw.access import Role
from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.firewall.registry_signatures import SignatureState, signature_report
from nproxy_mw.firewall.review import reviewed
from nproxy_mw.firewall.seen import fetched_page
from nproxy_mw.firewall.upstream_state import CacheFill, cache_fill
from nproxy_mw.http.messages import Response
from nproxy_mw.ledger.seen_tables import SeenPosition, SeenQuestion, SeenSort
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.reading import PAGE_SCHEMA, choice_in, limit_in, text_in
from nproxy_mw.middleware.management.schemas import (
    COUNT,
    MAYBE_TEXT,
    MAYBE_TIME,
    PACKAGE_TEXT,
    TEXT,
    YES_OR_NO,
    a_list,
    an_object,
    ref,
)
from nproxy_mw.npm.names import parse_name
from nproxy_mw.rules.values import field_at
from nproxy_mw.times import from_unix, timestamp_or_none

_CURSOR = {"type": "string", "pattern": r"^([0-9]{1,12}(\.[0-9]{1,9})?,)?(@[a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*$"}


def list_fetched(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns one page of the packages that the organization's clients fetched, by name or by their last fetch."""
    query = call.query("after", "limit", "sort", "text")
    limit, sort, text = limit_in(query), choice_in(query, "sort", SeenSort.NAME), text_in(query)
    after = _position(query["after"]) if "after" in query else None
    scopes = organization.settings.get().internal_scopes
    asked = SeenQuestion(sort, after, text, limit)
    found = fetched_page(organization.seen_index, firewall_of(organization.id), scopes, asked)
    return reply(
        {
            "packages": [one.to_document() for one in found.packages],
            "next": _cursor(found.next, sort) if found.next else None,
            "total": found.total,
            "countedAt": timestamp_or_none(found.counted),
        }
    )


def show_version(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns one version of a package as the upstream has it, held or not, and whether its signatures are good."""
    call.query()
    firewall, name, version = firewall_of(organization.id), parse_name(call.path["name"]), call.path["version"]
    if firewall is None:
        raise NotFound("This server has no upstream.", code="no-upstream")
    package = reviewed(firewall, name)
    if version not in package.versions:
        raise NotFound("The package has no such version.", code="version-not-found")
    report = signature_report(firewall.unruled, package, version)
    return reply(
        {
            "name": str(name),
            "version": version,
            "publishedAt": package.published(version) or None,
            "isHeld": version in package.decision.blocked,
            "signatures": [one.to_document() for one in report.signatures],
            "areSignaturesValid": report.is_valid,
            "signaturesNotChecked": report.obstacle or None,
        }
    )


def show_storage(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns how much is stored of the organization's packages, and in the cache that it shares with others."""
    call.query()
    firewall, amount = firewall_of(organization.id), organization.search_index.amount()
    cache = cache_fill(firewall) if firewall is not None else None
    counted = from_unix(amount.counted) if amount.counted is not None else None
    packages = {"count": amount.packages, "bytes": amount.bytes, "countedAt": timestamp_or_none(counted)}
    return reply({"packages": packages, "cache": _fill(cache) if cache else None})


def _fill(cache: CacheFill) -> dict[str, Any]:
    return {"bytes": cache.size, "bound": cache.bound, "countedAt": timestamp_or_none(cache.counted)}


def _cursor(position: SeenPosition, sort: SeenSort) -> str:
    return position.name if sort is SeenSort.NAME else f"{position.last},{position.name}"


def _position(cursor: str) -> SeenPosition:
    """Returns where the page before ended: a name, after the time of its last fetch and a comma."""
    last, _, name = cursor.rpartition(",")
    with field_at("after"):
        return SeenPosition.parse(name, last)


_MAYBE_COUNT: dict[str, Any] = {"type": ["integer", "null"], "minimum": 0}
_CACHE = {
    "anyOf": [
        {"type": "null"},
        an_object({"bytes": _MAYBE_COUNT, "bound": COUNT, "countedAt": MAYBE_TIME}),
    ],
    "description": "That of the host that answers, which all organizations share; null where it keeps none.",
}


_FETCHED_PAGE = an_object(
    {"packages": a_list(ref("FetchedPackage")), "next": MAYBE_TEXT, "total": COUNT, "countedAt": MAYBE_TIME}
)
_UPSTREAM_VERSION = an_object(
    {
        "name": TEXT,
        "version": TEXT,
        "publishedAt": MAYBE_TEXT,
        "isHeld": YES_OR_NO,
        "signatures": a_list(an_object({"state": {"enum": sorted(SignatureState)}, "keyId": TEXT})),
        "areSignaturesValid": YES_OR_NO,
        "signaturesNotChecked": MAYBE_TEXT,
    }
)
_STORAGE = an_object(
    {"packages": an_object({"count": COUNT, "bytes": COUNT, "countedAt": MAYBE_TIME}), "cache": _CACHE}
)


def operations(firewall_of: FirewallOf) -> tuple[Operation, ...]:
    """Returns the calls, with the rules of each organization that *firewall_of* finds."""
    return (
        Operation(
            "GET",
            "/orgs/{orgId}/upstream-packages",
            "listUpstreamPackages",
            "A page of the packages that this organization's clients fetched from the upstream, with how many versions "
            "the rules hold and warn of; null where nothing was decided since something changed",
            OfOrganization(partial(list_fetched, firewall_of), Role.READER),
            _FETCHED_PAGE,
            query=PAGE_SCHEMA | {"after": _CURSOR, "sort": {"enum": sorted(SeenSort)}, "text": PACKAGE_TEXT},
        ),
        Operation(
            "GET",
            "/orgs/{orgId}/upstream-packages/{name}/{version}",
            "showUpstreamVersion",
            "One version as the upstream has it, and whether its signatures are good by the keys that it lists",
            OfOrganization(partial(show_version, firewall_of), Role.READER),
            _UPSTREAM_VERSION,
            refusals="502 504",
        ),
        Operation(
            "GET",
            "/orgs/{orgId}/storage",
            "showStorage",
            "How many bytes the tarballs of the internal packages have, and how full the cache of the upstream is",
            OfOrganization(partial(show_storage, firewall_of), Role.READER),
            _STORAGE,
        ),
    )
