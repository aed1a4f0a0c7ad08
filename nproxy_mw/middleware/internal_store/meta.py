"""What a registry says of itself: ping, whoami, search."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from nproxy_mw.access import Grant
from nproxy_mw.errors import BadRequest, Unauthenticated
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import PRIVATE, Response, json_response
from nproxy_mw.http.negotiation import LONGEST
from nproxy_mw.npm.search import Query, result
from nproxy_mw.packages.store import PackageStore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SEARCH_SIZE = 20  # results, as npm asks by default
SEARCH_LIMIT = 250  # results of one page, as the public registry allows


class Meta:
    """Answers the routes of InternalStore that are about no package."""

    def __init__(self, packages: PackageStore) -> None:
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
        parameters = _parameters(request.environ)
        query = Query(parameters.get("text", [""])[0])
        first = _number(parameters, "from", 0)
        size = min(_number(parameters, "size", SEARCH_SIZE), SEARCH_LIMIT)
        readable = self.packages.all() if Grant.PROXY in request.principal.grants else ()
        found = [packument for _, packument in readable if query.matches(packument)]
        results = {"objects": [result(one) for one in found[first : first + size]], "total": len(found)}
        return json_response(results, headers=PRIVATE)


def _parameters(environ: WSGIEnvironment) -> dict[str, list[str]]:
    text: str = environ.get("QUERY_STRING", "")
    if len(text) > LONGEST:
        raise BadRequest(f"A search has at most {LONGEST} characters.", code="invalid-query")
    return parse_qs(text)


def _number(parameters: dict[str, list[str]], key: str, default: int) -> int:
    text = parameters.get(key, [str(default)])[0]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"The search parameter '{key}' is not a number.", code="invalid-query")
    return int(text)
