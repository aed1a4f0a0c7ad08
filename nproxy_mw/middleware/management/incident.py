"""The calls for the hour of an incident: what was decided, who fetched bad versions, and blocking them at once."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from nproxy_mw.access import Role
from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.events import KINDS
from nproxy_mw.firewall.exposure import MAX_LINES, Suspects, block_entries, exposed, suspects_of
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.firewall.preview import SPAN, fetched_versions, preview
from nproxy_mw.firewall.questions import asked_span
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.firewall import INSTALLS, MAX_INSTALLS
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.reading import PAGE_SCHEMA, limit_in, refuse_future
from nproxy_mw.middleware.management.schemas import (
    COUNT,
    CURSOR,
    MAYBE_TEXT,
    TEXT,
    YES_OR_NO,
    a_list,
    an_object,
    ref,
)
from nproxy_mw.rules.blocklist import MAX_ENTRIES, MAX_LENGTH
from nproxy_mw.rules.values import InvalidFields, field_at, list_of, number, object_of, text
from nproxy_mw.times import utc_now

MAX_REASON = 200
SECONDS = 20.0
"""That a preview takes at most."""

_LINE = text(MAX_LENGTH)
_WHAT = list_of(_LINE, least=1, most=MAX_LINES, sentence=f"This must be a list of 1 to {MAX_LINES} lines.").described(
    "Names, name@version, name@range, and ids of advisories."
)
_EXPOSURE = object_of(
    {"what": _WHAT, "from": text(40), "to": text(40), "limit": number(1, MAX_INSTALLS, whole=True)},
    required=("what",),
    sentence="This must be an object with what, and optionally from, to and limit.",
)
_BLOCK = object_of(
    {
        "what": list_of(_LINE, least=1, most=MAX_ENTRIES, sentence=f"This must be a list of 1 to {MAX_ENTRIES} lines."),
        "reason": text(MAX_REASON).described("Why, for the developers who are refused."),
    },
    required=("what", "reason"),
    sentence="This must be an object with what and reason.",
)
_SUBJECT = {"package": TEXT, "version": TEXT, "before": TEXT, "after": TEXT, "rules": {"type": "object"}}


def decisions(call: Call, organization: Tenant) -> Response:
    """Returns one page of what the rules decided, newest first."""
    query = call.query("after", "limit", "kind", "package")
    limit, kind = limit_in(query), query.get("kind")
    if kind is not None and kind not in KINDS:
        raise InvalidFields({"kind": f"This is one of {', '.join(KINDS)}."}, code="invalid-kind")
    refuse_future(query.get("after", ""))
    with field_at("after"):
        events, cursor = organization.trail.page(
            after=query.get("after"), limit=limit, event=kind or KINDS, package=query.get("package")
        )
    return reply({"decisions": events, "next": cursor})


def exposure(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns who fetched anything that the body names, oldest day first."""
    document = call.checked(_EXPOSURE)
    since, until = asked_span(document.get("from"), document.get("to"), utc_now())
    suspects = _suspects(firewall_of, document, organization)
    found, is_complete = exposed(organization.ledger.storage, suspects, since, until, document.get("limit", INSTALLS))
    return reply({"installs": [one.to_document() for one in found], "isComplete": is_complete})


def block(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Adds what the body names to the block list of the organization, in force at once."""
    document = call.checked(_BLOCK)
    entries = block_entries(_suspects(firewall_of, document, organization).entries, document["reason"])
    settings = organization.settings.block(entries, actor=call.actor)
    return reply({"entries": settings.rules["blocklist"]["entries"]}, 201)


def previewed(firewall_of: FirewallOf, call: Call, organization: Tenant) -> Response:
    """Returns what a change of the settings would do to what was fetched lately. Nothing is changed."""
    firewall, now = firewall_of(organization.id), utc_now()
    before, store = organization.settings.get(), organization.settings
    after = before.changed(call.document(), author=call.actor.name, now=now, catalog=store.catalog)
    if firewall is None:
        raise NotFound("This server has no upstream, so there is nothing that rules are about.", code="no-upstream")
    end = time.monotonic() + SECONDS
    fetched = fetched_versions(organization.ledger.storage, now - SPAN, now)
    found = preview(firewall, fetched, before, after, may_go_on=lambda: time.monotonic() < end)
    return reply(found.to_document())


def _suspects(firewall_of: FirewallOf, document: dict[str, Any], organization: Tenant) -> Suspects:
    with field_at("what"):
        return suspects_of("\n".join(document["what"]), firewall_of(organization.id))


_DECISIONS = Operation(
    "GET",
    "/orgs/{orgId}/decisions",
    "listDecisions",
    "One page of what the rules held, warned of or could not decide, newest first",
    OfOrganization(decisions, Role.READER),
    an_object({"decisions": a_list(ref("Event")), "next": MAYBE_TEXT}),
    query=PAGE_SCHEMA | {"after": CURSOR, "kind": {"enum": list(KINDS)}, "package": TEXT},
)
_PREVIEW = an_object(
    {"changes": a_list(an_object(_SUBJECT | {"fetched": COUNT})), "lookedAt": COUNT, "packages": COUNT}
)


def operations(firewall_of: FirewallOf) -> tuple[Operation, ...]:
    """Returns the calls, for the rules of each organization that *firewall_of* finds."""
    return (
        _DECISIONS,
        Operation(
            "POST",
            "/orgs/{orgId}/exposure",
            "findExposure",
            "Who fetched anything of a list of packages, versions, ranges and advisories. Without `from`, the last 30 "
            "days",
            OfOrganization(partial(exposure, firewall_of), Role.READER),
            an_object({"installs": a_list(ref("Install")), "isComplete": YES_OR_NO}),
            body=_EXPOSURE.schema,
        ),
        Operation(
            "POST",
            "/orgs/{orgId}/blocklist",
            "blockVersions",
            "Blocks packages, versions and ranges of the upstream, and what an advisory names, at once",
            OfOrganization(partial(block, firewall_of)),
            an_object({"entries": a_list(TEXT)}),
            status="201",
            body=_BLOCK.schema,
        ),
        Operation(
            "POST",
            "/orgs/{orgId}/settings/preview",
            "previewSettings",
            "What a change of the settings would do to the versions that were fetched in the last 30 days",
            OfOrganization(partial(previewed, firewall_of)),
            _PREVIEW,
            body=ref("SettingsChange"),
        ),
    )
