"""What the calls of the management API take and answer, as JSON schemas.

Those of the settings and of exceptions come from their tables, so they say what the checks do.
"""

from __future__ import annotations

from typing import Any

from nproxy_mw.access import Grant, Role
from nproxy_mw.orgs.labels import MAX_NAME
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.restrictions import MAX_ENTRIES
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.exception_documents import request_type_of
from nproxy_mw.rules.requests import RequestState

TEXT: dict[str, Any] = {"type": "string"}
MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
MAYBE_TIME: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
SLUG = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
# A name is printable besides, which no pattern tells.
NAME: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": "\\S"}
MAYBE_NAME = NAME | {"type": ["string", "null"]}
TOKEN_SCOPES = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": sorted(Grant)}}
MAYBE_PATTERNS = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": MAX_ENTRIES,
    "items": {"type": "string", "pattern": "^@[a-z0-9_-][a-z0-9_.-]{0,99}(/[*]|/[a-z0-9_-][a-z0-9_.-]{0,99}[*]?)?$"},
    "description": "The internal packages that the token is for: @scope, @scope/name or @scope/prefix-*. Null is all.",
}
MAYBE_RANGES = {
    "type": ["array", "null"],
    "minItems": 1,
    "maxItems": MAX_ENTRIES,
    "items": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}, {"pattern": "/[0-9]{1,3}$"}]},
    "description": "The addresses that the token is used from: CIDR, or one address. Null is every address.",
}
COUNT = {"type": "integer", "minimum": 0}
YES_OR_NO = {"type": "boolean"}
PACKAGE_NAME = {"type": "string", "pattern": "^(@[a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*$", "maxLength": 100}
PACKAGE_CURSOR = PACKAGE_NAME | {"pattern": "^([0-9T:.Z-]{1,30},)?(@[a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*$"}
PACKAGE_TEXT = {"type": "string", "maxLength": 214}
VERSION_OR_TAG = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9.+-]{0,99}$"}
ACCOUNT_NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"}
PASSWORD = {"type": "string", "minLength": 8, "maxLength": 1024}
ROLE = {"type": "string", "enum": [role.value for role in Role]}
MAYBE_SLUGS = {"type": ["array", "null"], "items": SLUG, "minItems": 1, "maxItems": 1000}
CREDENTIAL = {"type": "string", "minLength": 1, "maxLength": 1000}


def an_object(required: dict[str, Any], *, closed: bool = False, **optional: Any) -> dict[str, Any]:
    """An object that has all of *required*, perhaps some of *optional*, and nothing else when it is *closed*."""
    schema = {"type": "object", "properties": required | optional, "required": list(required)}
    return schema | {"additionalProperties": False} if closed else schema


def a_list(item: Any) -> dict[str, Any]:
    """A list of what *item* describes."""
    return {"type": "array", "items": item}


def ref(name: str) -> dict[str, Any]:
    """The schema of that name, one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


CURSOR = {
    "type": "string",
    "pattern": "^[0-9]{4}-?[0-9]{2}-?[0-9]{2}T[0-9]{2}:?[0-9]{2}:?[0-9]{2}\\.[0-9]{3}Z-[0-9a-f]{32}$",
    "description": "`next` of the page before, or the `time` of an event, a hyphen and its `id`.",
}
TOKEN_ID = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
SESSION_CURSOR = {"type": "string", "pattern": "^[0-9]{8}T[0-9]{6}\\.[0-9]{3}Z-[0-9a-f]{16}$"}
PARAMETERS = {
    "orgId": SLUG,
    "name": PACKAGE_NAME,
    "version": VERSION_OR_TAG,
    "account": ACCOUNT_NAME,
    "tokenId": TOKEN_ID,
    "requestId": TOKEN_ID,
    "sessionId": TOKEN_ID,
    "tag": VERSION_OR_TAG,
}
"""The parameters of paths: each name means one thing in all of them."""

_SIGNED_IN: dict[str, Any] = {
    "id": TEXT,
    "createdAt": MAYBE_TIME,
    "lastUsedAt": MAYBE_TIME,
    "expiresAt": TIME,
    "ip": TEXT,
    "userAgent": TEXT,
    "isCurrent": YES_OR_NO,
}
_TOKEN: dict[str, Any] = {
    "id": TEXT,
    "name": TEXT,
    "scopes": TOKEN_SCOPES,
    "packages": MAYBE_PATTERNS,
    "addresses": MAYBE_RANGES,
    "createdAt": TIME,
    "expiresAt": MAYBE_TIME,
}
_PACKAGE: dict[str, Any] = {
    "name": TEXT,
    "description": TEXT,
    "latest": MAYBE_TEXT,
    "versionCount": COUNT,
    "modifiedAt": MAYBE_TIME,
    "deprecated": MAYBE_TEXT,
}
_VERSION: dict[str, Any] = {
    "version": TEXT,
    "publishedAt": MAYBE_TIME,
    "publishedBy": MAYBE_TEXT,
    "integrity": MAYBE_TEXT,
    "size": {"type": ["integer", "null"]},
    "deprecated": MAYBE_TEXT,
}
_EVENT: dict[str, Any] = {"id": TEXT, "time": TIME, "org": TEXT, "event": TEXT}

_INSTALL: dict[str, Any] = {
    "package": TEXT,
    "version": TEXT,
    "token": TEXT,
    "ip": TEXT,
    "times": COUNT,
    "first": TIME,
    "last": TIME,
}
_FETCHED: dict[str, Any] = {
    "name": TEXT,
    "newestVersion": TEXT,
    "lastFetchedAt": TIME,
    "held": {"type": ["integer", "null"]},
    "warned": {"type": ["integer", "null"]},
    "isNewestHeld": YES_OR_NO,
}
_REQUEST: dict[str, Any] = {
    "id": TEXT,
    "package": TEXT,
    "reason": TEXT,
    "requestedBy": TEXT,
    "tokenId": TEXT,
    "requestedAt": TIME,
    "state": {"enum": [state.value for state in RequestState]},
    "answeredBy": MAYBE_TEXT,
    "answeredAt": MAYBE_TIME,
    "comment": MAYBE_TEXT,
    "expiresAt": MAYBE_TIME,
}
_WARNINGS = a_list(TEXT) | {"description": "Always empty: every setting does what it says.", "maxItems": 0}
# Settings may be sent back as they were shown.
_IGNORED = {"warnings": {"description": "Ignored."}}


def schemas(catalog: Catalog, settings: type[Settings] = Settings) -> dict[str, Any]:
    """Returns the schemas that calls refer to by name, with the rules of *catalog* and the table of *settings*."""
    table = settings.schemas(catalog)
    return {
        "Error": an_object({"error": TEXT, "code": TEXT, "requestId": TEXT}, fields={"type": "object"}),
        "Session": an_object({"session": TEXT, "expiresAt": TIME}),
        "SignedInSession": an_object(_SIGNED_IN),
        "Organization": an_object({"id": SLUG, "name": TEXT, "createdAt": TIME}),
        "Settings": an_object(table | {"warnings": _WARNINGS}),
        "SettingsChange": an_object({}, closed=True, **table, **_IGNORED),
        "Token": an_object(_TOKEN | {"lastUsedAt": MAYBE_TIME, "revokedAt": MAYBE_TIME}),
        "NewToken": an_object(_TOKEN | {"token": {"type": "string", "pattern": "^nproxy_"}}),
        "NewExceptionRequest": request_type_of(catalog).schema,
        "ExceptionRequest": an_object(_REQUEST, versions=a_list(TEXT), rules=a_list(TEXT)),
        "Account": an_object({"name": TEXT, "role": ROLE, "organizations": MAYBE_SLUGS}),
        "Key": an_object({"keyid": TEXT, "keytype": TEXT, "scheme": TEXT, "key": TEXT, "expires": MAYBE_TIME}),
        "Event": an_object(_EVENT),
        "Finding": an_object({"where": TEXT, "event": {"type": ["integer", "null"]}, "what": TEXT}),
        "Install": an_object(_INSTALL),
        "FetchedPackage": an_object(_FETCHED),
        "Package": an_object(_PACKAGE),
        "WholePackage": an_object(
            _PACKAGE
            | {"createdAt": MAYBE_TIME, "distTags": {"type": "object"}, "versions": a_list(an_object(_VERSION))}
        ),
    }
