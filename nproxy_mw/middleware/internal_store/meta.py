"""What a registry says of itself: ping, whoami, search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from nproxy_mw.access import Grant
from nproxy_mw.errors import BadRequest, Unauthenticated
from nproxy_mw.http import messages
from nproxy_mw.http.context import PRINCIPAL
from nproxy_mw.json_values import Json
from nproxy_mw.npm import packuments
from nproxy_mw.npm.routes import Route
from nproxy_mw.packages.store import Packages

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SEARCH_SIZE = 20  # results, as npm asks by default
SEARCH_LIMIT = 250  # results of one page, as the public registry allows


class Meta:
    """Answers the routes of InternalStore that are about no package."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages

    def ping(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """An empty object."""
        return messages.send_json(environ, start_response, {})

    def whoami(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """The name of the API token."""
        principal = PRINCIPAL.require(environ, by="InternalStore")
        if principal.is_anonymous:
            raise Unauthenticated("This needs an API token of this registry: put one into .npmrc.")
        return messages.send_json(environ, start_response, {"username": principal.name}, headers=messages.PRIVATE)

    def search(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        """Internal packages that the token may read. The words are never sent upstream: they may be internal names."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        words = query.get("text", [""])[0].lower().split()
        first, size = _number(query, "from", 0), min(_number(query, "size", SEARCH_SIZE), SEARCH_LIMIT)
        may_read = Grant.PROXY in PRINCIPAL.require(environ, by="InternalStore").grants
        readable = self.packages.all() if may_read else ()
        found = [packument for _, packument in readable if _matches(packument, words)]
        results = {"objects": [_result(one) for one in found[first : first + size]], "total": len(found)}
        return messages.send_json(environ, start_response, results, headers=messages.PRIVATE)


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
