"""The calls that change an internal package: what npm does with a document, and what a person does by hand."""

from __future__ import annotations

from typing import Any

from nproxy_mw.http.messages import Response
from nproxy_mw.middleware.management.calls import DONE, Call, Tenant
from nproxy_mw.middleware.management.operations import OfOrganization, Operation
from nproxy_mw.middleware.management.schemas import TEXT, VERSION_OR_TAG, an_object
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.versions import check_tag
from nproxy_mw.packages import editing
from nproxy_mw.rules.values import InvalidFields

_PATH = "/orgs/{orgId}/packages/{name}"
_MESSAGE = {"type": "string", "maxLength": editing.MAX_MESSAGE}


def set_tag(call: Call, organization: Tenant) -> Response:
    """Points a dist-tag at a version."""
    (version,) = _texts(call, "version")
    organization.packages.tag(_name(call), check_tag(call.path["tag"]), version, call.actor)
    return DONE


def remove_tag(call: Call, organization: Tenant) -> Response:
    """Removes a dist-tag."""
    call.query()
    organization.packages.untag(_name(call), call.path["tag"], call.actor)
    return DONE


def deprecate(call: Call, organization: Tenant) -> Response:
    """Sets or removes the deprecation message of one version, or of all."""
    message, version = _texts(call, "message", version="")
    editing.set_message(organization.packages, _name(call), version, message, actor=call.actor)
    return DONE


def unpublish(call: Call, organization: Tenant) -> Response:
    """Unpublishes a package or one version of it."""
    call.query()
    is_allowed = organization.settings.get().version_unpublish
    version = call.path.get("version", "")
    editing.unpublish(organization.packages, _name(call), version, is_allowed=is_allowed, actor=call.actor)
    return DONE


def _name(call: Call) -> Name:
    return parse_name(call.path["name"])


def _texts(call: Call, needed: str, **optional: str) -> list[str]:
    """Returns the members of the body, all of them text."""
    document: dict[str, Any] = call.document(needed, *optional)
    given = {needed: document.get(needed), **{key: document.get(key, default) for key, default in optional.items()}}
    fields = {key: "This is text." for key, value in given.items() if not isinstance(value, str)}
    if fields:
        raise InvalidFields(fields)
    return list(given.values())


OPERATIONS = (
    Operation(
        "PUT",
        f"{_PATH}/tags/{{tag}}",
        "setTag",
        "Points a dist-tag at a version",
        OfOrganization(set_tag),
        status="204",
        body=an_object({"version": VERSION_OR_TAG}, closed=True),
        refusals="409",
    ),
    Operation(
        "DELETE",
        f"{_PATH}/tags/{{tag}}",
        "removeTag",
        "Removes a dist-tag",
        OfOrganization(remove_tag),
        status="204",
        refusals="409",
    ),
    Operation(
        "PUT",
        f"{_PATH}/deprecation",
        "deprecatePackage",
        "Sets the deprecation message of `version`, or of all versions without it; an empty message removes it",
        OfOrganization(deprecate),
        status="204",
        body=an_object({"message": _MESSAGE}, closed=True, version=TEXT),
        refusals="409",
    ),
    Operation(
        "DELETE",
        _PATH,
        "unpublishPackage",
        "Unpublishes a package; its version numbers are never given again",
        OfOrganization(unpublish),
        status="204",
        refusals="409",
    ),
    Operation(
        "DELETE",
        f"{_PATH}/versions/{{version}}",
        "unpublishVersion",
        "Unpublishes one version, where the setting `versionUnpublish` allows it",
        OfOrganization(unpublish),
        status="204",
        refusals="400 405 409",
    ),
)
