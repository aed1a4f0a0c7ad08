"""The description of the management API, as it is served: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from typing import Any

from nproxy_mw import __version__
from nproxy_mw.access import Grant
from nproxy_mw.orgs.audit_index import MAX_LIMIT
from nproxy_mw.orgs.rule_table import RULES
from nproxy_mw.orgs.token_records import MAX_NAME

_TEXT: dict[str, Any] = {"type": "string"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_MAYBE_TIME: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_SLUG = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": "^[!-~]([ -~]*[!-~])?$"}
_SCOPES = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": sorted(Grant)}}
_COUNT = {"type": "integer", "minimum": 0}
_CREDENTIAL = {"type": "string", "minLength": 1, "maxLength": 1000}

_SENTENCES = {
    "400": "Something in the request will not do; `fields` may say which.",
    "401": "There is no session, or it has ended.",
    "403": "The user may not do that, or a page of another site asked for it.",
    "404": "There is no such organisation, or it has no such thing.",
    "409": "The id is taken.",
    "411": "The server needs a Content-Length.",
    "413": "The body is too large.",
    "429": "Too many attempts: wait as long as Retry-After says.",
    "503": "The storage cannot be reached or is busy: try again.",
}


def _object(required: dict[str, Any], *, closed: bool = False, **optional: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": required | optional, "required": list(required)}
    return schema | {"additionalProperties": False} if closed else schema


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answer(what: str, schema: Any) -> dict[str, Any]:
    return {"description": what, "content": _json(schema)}


def _operation(
    name: str,
    summary: str,
    answer: Any = None,
    *,
    status: str = "200",
    body: Any = None,
    refusals: str = "",
    query: dict[str, Any] | None = None,
    public: bool = False,
) -> dict[str, Any]:
    """One call. *answer* and *body* are schemas; *refusals* are statuses beside those that every call may have."""
    done = _answer(summary, answer) if answer is not None else {"description": summary}
    refused = {*refusals.split(), "400", "503"} | ({"411", "413"} if body else set()) | (set() if public else {"401"})
    if body or status == "204":
        refused.add("403")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {status: done} | {one: {"$ref": f"#/components/responses/{one}"} for one in sorted(refused)},
        "parameters": [{"name": key, "in": "query", "schema": schema} for key, schema in (query or {}).items()],
    }
    if body:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    if public:
        operation["security"] = []
    return operation


def _parameter(name: str, schema: Any) -> list[dict[str, Any]]:
    org = {"name": "orgId", "in": "path", "required": True, "schema": _SLUG}
    return [org, {"name": name, "in": "path", "required": True, "schema": schema}] if name else [org]


_PAGE = {"limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}}
_SETTINGS: dict[str, Any] = {
    "internalScopes": {"type": "array", "items": {"type": "string", "pattern": "^@"}, "maxItems": 100},
    "publicReads": {"type": "boolean"},
    "rules": {
        "type": "object",
        "properties": {
            rule: {"type": ["object", "null"], "properties": {"mode": {"enum": ["block", "warn", "off"]}}}
            for rule in RULES
        },
    },
    "exceptions": _list(_ref("Exception")),
    "rateLimit": {
        "type": ["object", "null"],
        "properties": {
            key: {"type": "integer", "minimum": 1, "maximum": 1_000_000}
            for key in ("requestsPerMinute", "publishesPerMinute")
        },
    },
    "versionUnpublish": {"type": "boolean"},
}
_TOKEN: dict[str, Any] = {
    "id": _TEXT,
    "name": _TEXT,
    "scopes": _SCOPES,
    "createdAt": _TIME,
    "expiresAt": _MAYBE_TIME,
}
_PACKAGE: dict[str, Any] = {
    "name": _TEXT,
    "description": _TEXT,
    "latest": _MAYBE_TEXT,
    "versionCount": _COUNT,
    "modifiedAt": _MAYBE_TIME,
}
_VERSION: dict[str, Any] = {
    "version": _TEXT,
    "publishedAt": _MAYBE_TIME,
    "publishedBy": _MAYBE_TEXT,
    "integrity": _MAYBE_TEXT,
    "size": {"type": ["integer", "null"]},
    "deprecated": _MAYBE_TEXT,
}
_EVENT: dict[str, Any] = {"id": _TEXT, "time": _TIME, "org": _TEXT, "event": _TEXT}

_SCHEMAS = {
    "Error": _object({"error": _TEXT, "code": _TEXT, "requestId": _TEXT}, fields={"type": "object"}),
    "Session": _object({"session": _TEXT, "expiresAt": _TIME}),
    "Organisation": _object({"id": _SLUG, "name": _TEXT, "createdAt": _TIME}),
    "Settings": _object(_SETTINGS),
    "SettingsChange": _object({}, closed=True, **_SETTINGS),
    "Exception": _object({"package": _TEXT, "reason": _TEXT, "expiresAt": _TIME}),
    "Token": _object(_TOKEN | {"lastUsedAt": _MAYBE_TIME, "revokedAt": _MAYBE_TIME}),
    "NewToken": _object(_TOKEN | {"token": {"type": "string", "pattern": "^nproxy_"}}),
    "Event": _object(_EVENT),
    "Package": _object(_PACKAGE),
    "WholePackage": _object(
        _PACKAGE | {"createdAt": _MAYBE_TIME, "distTags": {"type": "object"}, "versions": _list(_object(_VERSION))}
    ),
}

_ORGS = {
    "get": _operation("listOrganisations", "The organisations", _object({"orgs": _list(_ref("Organisation"))})),
    "post": _operation(
        "createOrganisation",
        "Makes an organisation",
        _ref("Organisation"),
        status="201",
        body=_object({"id": _SLUG}, closed=True, name=_NAME),
        refusals="409",
    ),
}
_SESSIONS = {
    "post": _operation(
        "signIn",
        "Signs an administrator in",
        _ref("Session"),
        status="201",
        body=_object({"username": _CREDENTIAL, "password": _CREDENTIAL}, closed=True),
        refusals="401 429",
        public=True,
    ),
    "delete": _operation("signOut", "Ends the session that the call is made with", status="204"),
}
_ORG_SETTINGS = {
    "parameters": _parameter("", None),
    "get": _operation("showSettings", "All settings", _ref("Settings"), refusals="404"),
    "put": _operation(
        "changeSettings",
        "Changes the settings that the body names; answers all of them",
        _ref("Settings"),
        body=_ref("SettingsChange"),
        refusals="404",
    ),
}
_TOKENS = {
    "parameters": _parameter("", None),
    "get": _operation("listTokens", "The tokens in use", _object({"tokens": _list(_ref("Token"))}), refusals="404"),
    "post": _operation(
        "createToken",
        "Makes a token; its plaintext is in this answer and nowhere else",
        _ref("NewToken"),
        status="201",
        body=_object({"name": _NAME, "scopes": _SCOPES}, closed=True, expiresAt=_MAYBE_TIME),
        refusals="404",
    ),
}
_ONE_TOKEN = {
    "parameters": _parameter("tokenId", {"type": "string", "pattern": "^[0-9a-f]{16}$"}),
    "delete": _operation("revokeToken", "Ends a token", status="204", refusals="404"),
}
_AUDIT = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listEvents",
        "One page of the audit trail, newest first; `next` is given as `after` for the page behind it",
        _object({"events": _list(_ref("Event")), "next": _MAYBE_TEXT}),
        query=_PAGE | {"after": _TEXT, "event": _TEXT, "package": _TEXT},
        refusals="404",
    ),
}
_PACKAGES = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listPackages",
        "One page of the internal packages; `next` is given as `after` for the page behind it",
        _object({"packages": _list(_ref("Package")), "next": _MAYBE_TEXT}),
        query=_PAGE | {"after": _TEXT},
        refusals="404",
    ),
}
_ONE_PACKAGE = {
    "parameters": _parameter("name", {"type": "string", "pattern": "^@[a-z0-9-]+/[a-z0-9-]+$", "maxLength": 214}),
    "get": _operation("showPackage", "One internal package", _ref("WholePackage"), refusals="404"),
}

OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Management API",
        "version": __version__,
        "description": "Organisations, their settings, API tokens, audit trail and packages.",
    },
    "security": [{"session": []}],
    "paths": {
        "/api/v1/openapi.json": {"get": _operation("describe", "This description", {"type": "object"}, public=True)},
        "/api/v1/sessions": _SESSIONS,
        "/api/v1/orgs": _ORGS,
        "/api/v1/orgs/{orgId}/settings": _ORG_SETTINGS,
        "/api/v1/orgs/{orgId}/tokens": _TOKENS,
        "/api/v1/orgs/{orgId}/tokens/{tokenId}": _ONE_TOKEN,
        "/api/v1/orgs/{orgId}/audit": _AUDIT,
        "/api/v1/orgs/{orgId}/packages": _PACKAGES,
        "/api/v1/orgs/{orgId}/packages/{name}": _ONE_PACKAGE,
    },
    "components": {
        "schemas": _SCHEMAS,
        "responses": {status: _answer(sentence, _ref("Error")) for status, sentence in _SENTENCES.items()},
        "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
    },
}
"""Served as it stands at ``/api/v1/openapi.json``; held to by tests against the running server."""
