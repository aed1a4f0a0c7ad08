"""NoUpstream: stands where Forwarder would, in a registry of internal packages alone.

Everything that is not internal is absent, and a sentence says why. Audits find nothing, so that no install fails.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.errors import Forbidden, MissingLayer, NotFound
from nproxy_mw.http.context import Destination
from nproxy_mw.http.handlers import Request, routed
from nproxy_mw.http.messages import PRIVATE, Response, json_response, send
from nproxy_mw.npm.audits import empty_report
from nproxy_mw.npm.routes import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SENTENCE = "This registry serves internal packages only: it has no upstream registry to ask."


class NoUpstream:
    """Answers 404 to what is not internal; *app*, the host application, is handed the root path if it is given."""

    def __init__(self, app: WSGIApplication | None = None) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = routed(environ, by="NoUpstream")
        if request.destination is Destination.INTERNAL:
            raise MissingLayer("NoUpstream was handed an internal package: put InternalStore outside NoUpstream.")
        if request.route.kind is Kind.ROOT and self.app is not None:
            return self.app(environ, start_response)
        return send(environ, start_response, _response(request))


def _response(request: Request) -> Response:
    if request.method == "POST" and request.route.kind is Kind.ADVISORIES:
        return json_response({}, headers=PRIVATE)
    if request.method == "POST" and request.route.kind is Kind.AUDIT:
        return json_response(empty_report(), headers=PRIVATE)
    # npm takes a 404 to an unpublish for success.
    if request.method in {"PUT", "DELETE"} and request.route.name is not None:
        raise Forbidden(f"{_SENTENCE} Check the scope: {request.scopes_in_words()}.", code="no-upstream")
    raise NotFound(_SENTENCE, code="no-upstream")
