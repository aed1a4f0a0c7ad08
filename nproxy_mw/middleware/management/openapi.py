"""The description of the management API, as it is served: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from nproxy_mw.middleware.management.operations import Operation, Public, parameters_in
from nproxy_mw.middleware.management.schemas import PARAMETERS, ref, schemas
from nproxy_mw.rules.catalog import Catalog

_SENTENCES = {
    "400": "Something in the request is not valid; `fields` may say what.",
    "401": "There is no session, or it has ended.",
    "403": "The user may not do that, or a page of another site asked for it.",
    "404": "There is no such organization, or it has no such thing.",
    "405": "The settings of the organization do not allow it.",
    "409": "The id is taken, or a request has another answer or is one too many.",
    "411": "The server needs a Content-Length.",
    "413": "The body is too large.",
    "429": "Too many attempts: wait as long as Retry-After says.",
    "502": "The upstream registry did not answer, or not sensibly.",
    "503": "The storage cannot be reached or is busy: try again.",
    "504": "The upstream registry took too long to answer.",
}


def openapi(operations: Sequence[Operation], catalog: Catalog) -> dict[str, Any]:
    """Returns the description of a management API with these *operations*, for a server with the rules of *catalog*.

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
