"""Explain: what the rules do with an upstream package or one of its versions, and why."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nproxy_mw.errors import BadRequest, NotFound, NproxyError
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import MAX_LENGTH, Name, parse_name

MAX_VERSION = 256  # characters
NO_UPSTREAM = "This server has no upstream, so there is nothing for the rules to look at."
INTERNAL = "This is an internal package: the rules do not apply to it, and the upstream is never asked about it."


def show(request: PageRequest) -> Answer:
    """Returns the form, and the explanation when a package is named."""
    query = request.query
    name, version = query.text("name")[:MAX_LENGTH], query.text("version")[:MAX_VERSION]
    values: dict[str, Any] = {"name": name, "version": version, "package": None, "verdict": None, "problem": ""}
    if not name:
        return Page("explain.html", "Explain", values)
    try:
        found = _explained(request, name, version)
    except NproxyError as error:
        return Page("explain.html", "Explain", {**values, "problem": error.message}, error.status)
    return Page("explain.html", "Explain", {**values, "verdict" if version else "package": found})


def _explained(request: PageRequest, name: str, version: str) -> dict[str, Any]:
    parsed = _checked(parse_name(name), request.organization.settings.get().internal_scopes)
    firewall = request.site.firewall(request.parts["org"])
    if firewall is None:
        raise NotFound(NO_UPSTREAM)
    return firewall.explain(parsed, version)


def _checked(name: Name, internal_scopes: Collection[str]) -> Name:
    """Returns *name* when the upstream may be asked about it. Raises BadRequest for an internal one."""
    if name.scope in internal_scopes:
        raise BadRequest(INTERNAL)
    return name
