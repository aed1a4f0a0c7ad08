"""The calls about organizations and their settings."""

from __future__ import annotations

from nproxy_mw.errors import BadRequest, Forbidden
from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import Call, Tenant, reply
from nproxy_mw.middleware.management.operations import ForUsers, OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import MAYBE_NAME, SLUG, a_list, an_object, ref
from nproxy_mw.orgs.directory import OrganizationDirectory, check_id, check_name
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.rules.values import InvalidFields


class OrganizationCalls:
    """Answers for the list of organizations."""

    def __init__(self, organizations: OrganizationDirectory) -> None:
        self.organizations = organizations

    def listed(self, call: Call) -> Response:
        """Returns the organizations that the user sees, by id."""
        call.query()
        found = [one.to_document() for one in self.organizations.list() if call.user.sees(one.id)]
        return reply({"orgs": found})

    def create(self, call: Call) -> Response:
        """Creates an organization."""
        if not call.user.is_platform_administrator:
            raise Forbidden("Organizations are created by platform administrators: ask one.", code="may-not-create")
        document = call.document("id", "name")
        org, name = document.get("id"), document.get("name")
        fields: dict[str, str] = {}
        for key, value, check in (("id", org, check_id), ("name", name, check_name)):
            try:
                if key == "id" or value is not None:
                    check(value)
            except BadRequest as error:
                fields[key] = error.message
        if fields:
            raise InvalidFields(fields, code="invalid-organization")
        made = self.organizations.create(org, name, actor=call.actor)
        return reply(made.to_document(), 201)

    def operations(self) -> tuple[Operation, ...]:
        """Returns the calls about the list."""
        listed = an_object({"orgs": a_list(ref("Organization"))})
        return (
            Operation("GET", "/orgs", "listOrganizations", "The organizations", ForUsers(self.listed), listed),
            Operation(
                "POST",
                "/orgs",
                "createOrganization",
                "Makes an organization",
                ForUsers(self.create),
                ref("Organization"),
                status="201",
                body=an_object({"id": SLUG}, closed=True, name=MAYBE_NAME),
                refusals="409",
            ),
        )


def show_settings(call: Call, organization: Tenant) -> Response:
    """Returns all settings."""
    call.query()
    return _shown(organization.settings.get())


def change_settings(call: Call, organization: Tenant) -> Response:
    """Changes the settings that the body names, and returns all of them."""
    change = call.document()
    change.pop("warnings", None)  # settings may be sent back as they were shown
    return _shown(organization.settings.change(change, actor=call.actor))


def _shown(settings: Settings) -> Response:
    return reply(settings.to_document() | {"warnings": []})  # always empty; kept for programs that read it


_SETTINGS_PATH = "/orgs/{orgId}/settings"

SETTINGS_OPERATIONS = (
    Operation("GET", _SETTINGS_PATH, "showSettings", "All settings", OfOrganization(show_settings), ref("Settings")),
    Operation(
        "PUT",
        _SETTINGS_PATH,
        "changeSettings",
        "Changes the settings that the body names; answers all of them",
        OfOrganization(change_settings),
        ref("Settings"),
        body=ref("SettingsChange"),
    ),
)
