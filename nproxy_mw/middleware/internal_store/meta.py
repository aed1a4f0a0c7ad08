"""What a registry says of itself: ping, whoami, search."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from nproxy_mw.access import Grant
from nproxy_mw.errors import BadRequest, Unauthenticated
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import PRIVATE, Response, json_response
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.packages.store import Packages

SEARCH_SIZE = 20  # results, as npm asks by default
SEARCH_LIMIT = 250  # results of one page, as the public registry allows


class Meta:
    """Answers the routes of InternalStore that are about no package."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages

    def ping(self, request: Request) -> Response:
        """Returns an empty object."""
        return json_response({})

    def whoami(self, request: Request) -> Response:
        """Returns the name of the API token."""
        if request.principal.is_anonymous:
            raise Unauthenticated("This needs an API token of this registry: put one into .npmrc.")
        return json_response({"username": request.principal.name}, headers=PRIVATE)

    def search(self, request: Request) -> Response:
        """Returns internal packages that the token may read.

        The words are never sent upstream: they may be internal names.
        """
        query = parse_qs(request.environ.get("QUERY_STRING", ""))
        words = query.get("text", [""])[0].lower().split()
        first, size = _number(query, "from", 0), min(_number(query, "size", SEARCH_SIZE), SEARCH_LIMIT)
        readable = self.packages.all() if Grant.PROXY in request.principal.grants else ()
        found = [packument for _, packument in readable if _matches(packument, words)]
        results = {"objects": [_result(one) for one in found[first : first + size]], "total": len(found)}
        return json_response(results, headers=PRIVATE)


def _number(query: dict[str, list[str]], key: str, default: int) -> int:
    text = query.get(key, [str(default)])[0]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"The search parameter '{key}' is not a number.")
    return int(text)


def _matches(packument: Json, words: list[str]) -> bool:
    keywords = packument.get("keywords") or []
    text = f"{packument['name']} {packument.get('description') or ''} {keywords}".lower()
    return all(word in text for word in words)


def _result(packument: Json) -> dict[str, Any]:
    """One search result; npm needs every member, maintainers included."""
    tags = packument["dist-tags"]
    version = tags.get("latest") or next(reversed(packument["versions"]))
    manifest = packuments.resolve(packument, version)
    return {
        "package": {
            "name": packument["name"],
            "version": version,
            "description": manifest.get("description") or "",
            "keywords": manifest.get("keywords") or [],
            "date": packument["time"][version],
            "links": {},
            "publisher": {"username": manifest["_npmUser"]["name"]},
            "maintainers": [{"username": one["name"]} for one in packument.get("maintainers", [])],
        },
        "score": {"final": 1, "detail": {"quality": 1, "popularity": 1, "maintenance": 1}},
        "searchScore": 1,
    }
