"""The description of the management API, as it is served: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

<<<<<<< HEAD
from nproxy_mw.middleware.management.operations import Operation, Public, parameters_in
from nproxy_mw.middleware.management.schemas import PARAMETERS, ref, schemas
=======
from nproxy_mw.audit.index import MAX_LIMIT
from nproxy_mw.middleware.management.firewall import INSTALLS, MAX_INSTALLS
from nproxy_mw.middleware.management.schemas import (
    ACCOUNT_NAME,
    COUNT,
    CREDENTIAL,
    CURSOR,
    MAYBE_NAME,
    MAYBE_PATTERNS,
    MAYBE_RANGES,
    MAYBE_SLUGS,
    MAYBE_TEXT,
    MAYBE_TIME,
    NAME,
    PACKAGE_CURSOR,
    PACKAGE_NAME,
    PACKAGE_TEXT,
    PASSWORD,
    ROLE,
    SLUG,
    TEXT,
    TIME,
    TOKEN_SCOPES,
    VERSION_OR_TAG,
    YES_OR_NO,
    a_list,
    an_object,
    ref,
    schemas,
)
from nproxy_mw.orgs.settings_fields import Settings
from nproxy_mw.packages.search.queries import PackageSort
>>>>>>> 35ab248 (API tokens for some packages, and for some addresses)
from nproxy_mw.rules.catalog import Catalog

_SENTENCES = {
    "400": "Something in the request is not valid; `fields` may say what.",
    "401": "There is no session, or it has ended.",
    "403": "The user may not do that, or a page of another site asked for it.",
    "404": "There is no such organization, or it has no such thing.",
    "409": "The id is taken, or a request has another answer or is one too many.",
    "411": "The server needs a Content-Length.",
    "413": "The body is too large.",
    "429": "Too many attempts: wait as long as Retry-After says.",
    "502": "The upstream registry did not answer, or not sensibly.",
    "503": "The storage cannot be reached or is busy: try again.",
    "504": "The upstream registry took too long to answer.",
}


<<<<<<< HEAD
def openapi(operations: Sequence[Operation], catalog: Catalog) -> dict[str, Any]:
    """Returns the description of a management API with these *operations*, for a server with the rules of *catalog*.
=======
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
    refused = {*refusals.split(), "400", "403", "503"} | ({"411", "413"} if body else set())
    refused |= set() if public else {"401"}
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
    org = {"name": "orgId", "in": "path", "required": True, "schema": SLUG}
    return [org, {"name": name, "in": "path", "required": True, "schema": schema}] if name else [org]


PAGE = {"limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}}
_ORGS = {
    "get": _operation("listOrganizations", "The organizations", an_object({"orgs": a_list(ref("Organization"))})),
    "post": _operation(
        "createOrganization",
        "Makes an organization",
        ref("Organization"),
        status="201",
        body=an_object({"id": SLUG}, closed=True, name=MAYBE_NAME),
        refusals="409",
    ),
}
_SESSIONS = {
    "post": _operation(
        "signIn",
        "Signs an administrator in",
        ref("Session"),
        status="201",
        body=an_object({"username": CREDENTIAL, "password": CREDENTIAL}, closed=True),
        refusals="401 429",
        public=True,
    ),
    "delete": _operation("signOut", "Ends the session that the call is made with", status="204"),
}
_ORG_SETTINGS = {
    "parameters": _parameter("", None),
    "get": _operation("showSettings", "All settings", ref("Settings"), refusals="404"),
    "put": _operation(
        "changeSettings",
        "Changes the settings that the body names; answers all of them",
        ref("Settings"),
        body=ref("SettingsChange"),
        refusals="404",
    ),
}
_TOKENS = {
    "parameters": _parameter("", None),
    "get": _operation("listTokens", "The tokens in use", an_object({"tokens": a_list(ref("Token"))}), refusals="404"),
    "post": _operation(
        "createToken",
        "Makes a token; its plaintext is in this answer and nowhere else",
        ref("NewToken"),
        status="201",
        body=an_object(
            {"name": NAME, "scopes": TOKEN_SCOPES},
            closed=True,
            expiresAt=MAYBE_TIME,
            packages=MAYBE_PATTERNS,
            addresses=MAYBE_RANGES,
        ),
        refusals="404",
    ),
    "delete": _operation("revokeAllTokens", "Ends every token", status="204", refusals="404"),
}
_ONE_TOKEN = {
    "parameters": _parameter("tokenId", {"type": "string", "pattern": "^[0-9a-f]{16}$"}),
    "delete": _operation("revokeToken", "Ends a token", status="204", refusals="404"),
}
_ACCOUNTS = {
    "get": _operation("listAccounts", "Who may sign in", an_object({"accounts": a_list(ref("Account"))})),
    "post": _operation(
        "createAccount",
        "Creates an account; for platform administrators",
        ref("Account"),
        status="201",
        body=an_object({"name": ACCOUNT_NAME, "password": PASSWORD}, closed=True, role=ROLE, organizations=MAYBE_SLUGS),
        refusals="409",
    ),
}
_ACCOUNT = [{"name": "name", "in": "path", "required": True, "schema": ACCOUNT_NAME}]
_ONE_ACCOUNT = {
    "parameters": _ACCOUNT,
    "put": _operation(
        "changeAccount",
        "Changes the role, the organizations or the password of an account; for platform administrators",
        ref("Account"),
        body=an_object({}, closed=True, role=ROLE, organizations=MAYBE_SLUGS, password=PASSWORD),
        refusals="404 409",
    ),
    "delete": _operation("removeAccount", "Removes an account and ends its sessions", status="204", refusals="404 409"),
}
_ACCOUNT_SESSIONS = {
    "parameters": _ACCOUNT,
    "delete": _operation("endSessions", "Ends all sessions of an account", status="204", refusals="404"),
}
_KEYS = {
    "parameters": _parameter("", None),
    "get": _operation("listKeys", "The public signing keys", an_object({"keys": a_list(ref("Key"))}), refusals="404"),
    "post": _operation(
        "rotateKeys",
        "Makes new signing keys; what the old ones signed stays valid",
        an_object({"keys": a_list(ref("Key"))}),
        status="201",
        refusals="404 409",
    ),
}
_AUDIT = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listEvents",
        "One page of the audit trail, newest first; `next` is given as `after` for the page behind it",
        an_object({"events": a_list(ref("Event")), "next": MAYBE_TEXT}),
        query=PAGE | {"after": CURSOR, "event": TEXT, "package": TEXT},
        refusals="404",
    ),
}
_PACKAGES = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listPackages",
        "A page of the packages that have `text` in their names; `next` is given as `after` for the page behind it",
        an_object({"packages": a_list(ref("Package")), "next": MAYBE_TEXT, "total": COUNT, "isComplete": YES_OR_NO}),
        query=PAGE | {"after": PACKAGE_CURSOR, "sort": {"enum": sorted(PackageSort)}, "text": PACKAGE_TEXT},
        refusals="404",
    ),
}
_ONE_PACKAGE = {
    "parameters": _parameter("name", PACKAGE_NAME),
    "get": _operation("showPackage", "One internal package", ref("WholePackage"), refusals="404"),
}

_EXPLANATION: dict[str, Any] = {"type": "object"}
_EXPLAIN = {
    "parameters": _parameter("name", PACKAGE_NAME),
    "get": _operation(
        "explainPackage",
        "What the rules decided about an upstream package: its tags, and its newest versions with a verdict each",
        _EXPLANATION,
        refusals="403 404 502 504",
    ),
}
_EXPLAIN_VERSION = {
    "parameters": [*_parameter("name", PACKAGE_NAME), *_parameter("version", VERSION_OR_TAG)[1:]],
    "get": _operation(
        "explainVersion",
        "What each rule says of one version of an upstream package, named by its number or a tag",
        _EXPLANATION,
        refusals="403 404 502 504",
    ),
}
_INSTALLS = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listInstalls",
        "Who fetched which version, when and how often, oldest day first; `version` may be a range. Without `from`, "
        "the last 30 days. Where it is not complete, ask for less at once",
        an_object({"installs": a_list(ref("Install")), "isComplete": YES_OR_NO}),
        query={
            "package": TEXT,
            "version": TEXT,
            "from": TIME,
            "to": TIME,
            "token": TEXT,
            "limit": {"type": "integer", "minimum": 1, "maximum": MAX_INSTALLS, "default": INSTALLS},
        },
        refusals="404",
    ),
}
_REQUESTS = {
    "parameters": _parameter("", None),
    "get": _operation(
        "listExceptionRequests",
        "The requests for exceptions, newest first",
        an_object({"requests": a_list(ref("ExceptionRequest"))}),
        refusals="404",
    ),
    "post": _operation(
        "requestException",
        "Asks for an exception, by a session or an API token with the scope proxy",
        ref("ExceptionRequest"),
        status="201",
        body=ref("NewExceptionRequest"),
        refusals="404 409",
    ),
}


def _answer_to_request(name: str, summary: str, body: Any) -> dict[str, Any]:
    operation = _operation(name, summary, ref("ExceptionRequest"), body=body, refusals="404 409")
    return {"parameters": _parameter("requestId", {"type": "string", "pattern": "^[0-9a-f]{16}$"}), "post": operation}


_PATHS = {
    "/api/v1/openapi.json": {"get": _operation("describe", "This description", {"type": "object"}, public=True)},
    "/api/v1/sessions": _SESSIONS,
    "/api/v1/orgs": _ORGS,
    "/api/v1/orgs/{orgId}/settings": _ORG_SETTINGS,
    "/api/v1/orgs/{orgId}/tokens": _TOKENS,
    "/api/v1/orgs/{orgId}/tokens/{tokenId}": _ONE_TOKEN,
    "/api/v1/accounts": _ACCOUNTS,
    "/api/v1/accounts/{name}": _ONE_ACCOUNT,
    "/api/v1/accounts/{name}/sessions": _ACCOUNT_SESSIONS,
    "/api/v1/orgs/{orgId}/keys": _KEYS,
    "/api/v1/orgs/{orgId}/audit": _AUDIT,
    "/api/v1/orgs/{orgId}/packages": _PACKAGES,
    "/api/v1/orgs/{orgId}/packages/{name}": _ONE_PACKAGE,
    "/api/v1/orgs/{orgId}/explain/{name}": _EXPLAIN,
    "/api/v1/orgs/{orgId}/explain/{name}/{version}": _EXPLAIN_VERSION,
    "/api/v1/orgs/{orgId}/installs": _INSTALLS,
    "/api/v1/orgs/{orgId}/exceptions/requests": _REQUESTS,
    "/api/v1/orgs/{orgId}/exceptions/requests/{requestId}/approve": _answer_to_request(
        "approveExceptionRequest", "Approves a request and adds its exception to the settings", APPROVAL.schema
    ),
    "/api/v1/orgs/{orgId}/exceptions/requests/{requestId}/deny": _answer_to_request(
        "denyExceptionRequest", "Denies a request", DENIAL.schema
    ),
}


def openapi(catalog: Catalog = SHIPPED, settings: type[Settings] = Settings) -> dict[str, Any]:
    """Returns the description of the management API of a server whose rules are those of *catalog*.
>>>>>>> 35ab248 (API tokens for some packages, and for some addresses)

    It is served as it stands at ``/api/v1/openapi.json``; tests hold the running server to it.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Management API",
            "version": version("nproxy_mw"),
            "description": "Organizations, their settings, API tokens, audit trail and packages.",
        },
        "security": [{"session": []}],
        "paths": _paths(operations),
        "components": {
            "schemas": schemas(catalog),
            "responses": {status: _described(sentence, ref("Error")) for status, sentence in _SENTENCES.items()},
            "securitySchemes": {"session": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths(operations: Sequence[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in operations:
        path = paths.setdefault(f"/api/v1{one.path}", {"parameters": [*map(_path_parameter, parameters_in(one.path))]})
        path[one.method.lower()] = _operation(one)
    return paths


def _operation(one: Operation) -> dict[str, Any]:
    done = _described(one.summary, one.answer) if one.answer is not None else {"description": one.summary}
    refused = {status: {"$ref": f"#/components/responses/{status}"} for status in sorted(_refusals(one))}
    return {
        "operationId": one.name,
        "summary": one.summary,
        "responses": {one.status: done} | refused,
        "parameters": [{"name": key, "in": "query", "schema": schema} for key, schema in one.query.items()],
        **({"requestBody": {"required": True, "content": _json(one.body)}} if one.body else {}),
        **({"security": []} if isinstance(one.access, Public) else {}),
    }


def _refusals(one: Operation) -> set[str]:
    """The statuses that every call may have, those of its kind, and its own."""
    refused = {"400", "403", "503", *one.refusals.split()}
    refused |= {"411", "413"} if one.body else set()
    refused |= {"404"} if "{" in one.path else set()
    return refused if isinstance(one.access, Public) else refused | {"401"}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": PARAMETERS[name]}


def _described(what: str, schema: Any) -> dict[str, Any]:
    return {"description": what, "content": _json(schema)}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
