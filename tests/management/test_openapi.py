"""The description of the management API, held against what the server does."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hosting import PlatformFixture
from support.rules import FlagsNothing

from nproxy_mw.middleware.management.schemas import schemas
from nproxy_mw.orgs.setting_types import Simple
from nproxy_mw.orgs.settings_fields import Settings, row
from nproxy_mw.rules.catalog import RuleDefinition
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.rules.values import FLAG

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import negative_data_rejection, positive_data_acceptance  # noqa: E402

TOWN = PlatformFixture()  # one for all: what one call makes, the next may meet
TOWN.session()  # signed in before any call guesses at passwords, which slows the next
DESCRIBED = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", TOWN.platform)
DESCRIPTION = TOWN.stranger().get("/api/v1/openapi.json").json
OPERATIONS = {found.ok().label: found.ok() for found in DESCRIBED.get_all_operations()}
PUBLIC = ("GET /api/v1/openapi.json", "POST /api/v1/sessions")
BODIES = [label for label, found in OPERATIONS.items() if found.body]
# What no schema tells: what is printable, ids that are kept, times in the past, cursors of the future, exceptions.
NARROWER = {
    "GET /api/v1/orgs/{orgId}/audit",
    "GET /api/v1/orgs/{orgId}/audit/export",
    "GET /api/v1/orgs/{orgId}/decisions",
    "GET /api/v1/orgs/{orgId}/installs",
    "POST /api/v1/orgs/{orgId}/blocklist",
    "POST /api/v1/orgs/{orgId}/exposure",
    "POST /api/v1/orgs/{orgId}/settings/preview",
    "POST /api/v1/accounts",
    "PUT /api/v1/accounts/{account}",
    "POST /api/v1/orgs",
    "POST /api/v1/orgs/{orgId}/exceptions/requests",
    "POST /api/v1/orgs/{orgId}/exceptions/requests/{requestId}/approve",
    "POST /api/v1/orgs/{orgId}/exceptions/requests/{requestId}/deny",
    "POST /api/v1/orgs/{orgId}/tokens",
    "PUT /api/v1/orgs/{orgId}/packages/{name}/tags/{tag}",
    "PUT /api/v1/orgs/{orgId}/settings",
}

some = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def validate(case, label, *but):
    """Asks, and holds the answer against the description."""
    headers = {} if label in PUBLIC else {"Authorization": f"Bearer {TOWN.session()}"}
    response = case.call(headers=headers)
    # 413 is a described refusal, of which this check knows nothing.
    is_too_large = [negative_data_rejection] if response.status_code == 413 else []
    case.validate_response(response, headers=headers, excluded_checks=[*but, *is_too_large])


@pytest.mark.parametrize("label", OPERATIONS)
@some
@given(data=st.data())
def test_what_is_described_is_done(label, data):
    """Whatever is asked as described has a described answer, is accepted, and is never a server error."""
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))
    if "orgId" in case.path_parameters:
        case.path_parameters["orgId"] = data.draw(st.sampled_from(["acme", "acme", case.path_parameters["orgId"]]))
    validate(case, label, *([positive_data_acceptance] if label in NARROWER else []))


@pytest.mark.parametrize("label", BODIES)
@some
@given(data=st.data())
def test_what_is_not_described_is_refused(label, data):
    """A body that is not as described is refused, with a described answer."""
    case = data.draw(OPERATIONS[label].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    validate(case, label)


@pytest.mark.parametrize("label", sorted(set(OPERATIONS) - set(PUBLIC)))
def test_every_call_needs_a_session(label):
    """All but two calls are 401 without one."""
    method, path = label.split()
    assert TOWN.stranger().ask(method, re.sub(r"\{[^}]*\}", "acme", path)).status == 401


def test_description_is_for_everybody():
    """It is served without a session."""
    assert {"/api/v1/openapi.json", "/api/v1/orgs/{orgId}/settings"} <= set(DESCRIPTION["paths"])


def test_every_call_is_described():
    """Each path and verb that the layer answers stands in the description, and no other."""
    for path, operations in DESCRIPTION["paths"].items():
        allowed = TOWN.stranger().ask("PATCH", re.sub(r"\{[^}]*\}", "x", path)).headers["allow"].split(", ")
        offered = {verb.upper() for verb in operations if verb != "parameters"}
        assert offered == set(allowed) - {"HEAD"}, path


@dataclass(frozen=True, slots=True)
class More(Settings):
    """The settings and one more."""

    color: bool = row("color", True, Simple(FLAG), "Whether there is color.")


def test_setting_and_rule_describe_themselves():
    """A row of the settings' table and a rule of a host's catalog stand in what is answered and in what is taken."""
    described = schemas(SHIPPED.with_rules(RuleDefinition(FlagsNothing("own"), "warn", "Flags.")), More)
    for name in ("Settings", "SettingsChange"):
        properties = described[name]["properties"]
        assert properties["color"] == {"type": "boolean", "description": "Whether there is color."}
        assert properties["rules"]["properties"]["own"]["anyOf"][0]["description"] == "Flags."
