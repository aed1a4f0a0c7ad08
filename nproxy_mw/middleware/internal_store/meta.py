"""What a registry says of itself: ping, whoami, search."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from nproxy_mw.access import Grant
from nproxy_mw.errors import BadRequest, Unauthenticated
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import PRIVATE, Response, json_response
from nproxy_mw.http.negotiation import LONGEST
from nproxy_mw.npm.search import parse_query
from nproxy_mw.npm.summaries import search_result
from nproxy_mw.packages.search.index import SearchIndex
from nproxy_mw.whole_numbers import whole_number

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SEARCH_SIZE = 20  # results, as npm asks by default
SEARCH_LIMIT = 250  # results of one page, as the public registry allows

_INCOMPLETE = ("npm-notice", "The search index is being made for the first time: some packages are not found yet.")


class Meta:
    """Answers the routes of InternalStore that are about no package."""

    def __init__(self, search_index: SearchIndex) -> None:
        self.search_index = search_index

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
        query = parse_query(parameters.get("text", [""])[0])
        first = _number(parameters, "from", 0)
        size = min(_number(parameters, "size", SEARCH_SIZE), SEARCH_LIMIT)
        if Grant.PROXY not in request.principal.grants:
            return json_response({"objects": [], "total": 0}, headers=PRIVATE)
        patterns = request.principal.restrictions.packages
        found = self.search_index.search(query, first=first, size=size, patterns=patterns)
        results = {"objects": list(map(search_result, found.summaries)), "total": found.total}
        return json_response(results, headers=PRIVATE if found.is_complete else (*PRIVATE, _INCOMPLETE))


def _parameters(environ: WSGIEnvironment) -> dict[str, list[str]]:
    text: str = environ.get("QUERY_STRING", "")
    if len(text) > LONGEST:
        raise BadRequest(f"A search has at most {LONGEST} characters.", code="invalid-query")
    return parse_qs(text)


def _number(parameters: dict[str, list[str]], key: str, default: int) -> int:
    text = parameters.get(key, [str(default)])[0]
    number = whole_number(text, digits=9)
    if number is None:
        raise BadRequest(f"The search parameter '{key}' is not a number.", code="invalid-query")
    return number
