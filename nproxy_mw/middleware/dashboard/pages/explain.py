"""Why a version of an upstream package is allowed or held: what each rule says of it."""

from __future__ import annotations

from typing import Any

from nproxy_mw.errors import BadRequest, NotFound
from nproxy_mw.firewall.questions import explained
from nproxy_mw.middleware.dashboard.answers import Answer, Page
from nproxy_mw.middleware.dashboard.request import PageRequest
from nproxy_mw.npm.names import parse_name
from nproxy_mw.npm.routes import Kind, parse_route

TITLE = "Explain"

MARKS = {"held": "bad", "warned": "warn", "absent": "warn", "allowed": "good", "excepted": "good"}
"""How a verdict is colored."""


def show(request: PageRequest) -> Answer:
    """Returns the form, and the explanation of the package or the version in the URL when there is one."""
    package, version = request.query.text("package"), request.query.text("version")
    if not package and not version:
        return Page("explain.html", TITLE, _values())
    try:
        found = _explanation(request, package, version)
    except (BadRequest, NotFound) as error:
        return Page("explain.html", TITLE, _values(package, version, problem=error.message), error.status)
    return Page("explain.html", TITLE, _values(package, version, found=found))


def _explanation(request: PageRequest, package: str, version: str) -> dict[str, Any]:
    name = parse_name(package)
    if version and not _is_version_or_tag(version):
        raise BadRequest("That is not a version or a dist-tag, such as 1.2.3 or latest.", code="invalid-version")
    organization = request.organization
    scopes = organization.settings.get().internal_scopes
    return explained(request.site.firewall_of(organization.id), scopes, name, version)


def _is_version_or_tag(text: str) -> bool:
    """Whether npm could ask for it: what has no place in a path is neither."""
    try:
        return parse_route(f"/name/{text}").kind is Kind.MANIFEST
    except BadRequest:
        return False


def _values(package: str = "", version: str = "", *, found: Any = None, problem: str = "") -> dict[str, Any]:
    return {
        "package": package[:300],
        "version": version[:300],
        "found": found,
        "problem": problem,
        "marks": MARKS,
        "says": _says,
    }


def _says(word: dict[str, Any]) -> tuple[str, str]:
    """Returns what one rule says in a few words, and how that is colored."""
    if word["mode"] == "off":
        return "off", ""
    if word["flags"] and word["exceptionUntil"]:
        return "let through by an exception", "good"
    if word["flags"]:
        return ("holds it", "bad") if word["mode"] == "block" else ("warns of it", "warn")
    return ("cannot tell", "warn") if word["cannotTell"] else ("nothing found", "good")
