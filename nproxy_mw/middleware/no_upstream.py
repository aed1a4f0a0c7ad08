"""NoUpstream: stands where Forwarder would, in a registry of internal packages alone.

Everything that is not internal is absent, and a sentence says why. Audits find nothing, so no install fails by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.errors import Forbidden, MissingLayer, NotFound
from nproxy_mw.http import messages
from nproxy_mw.http.context import DESTINATION, ROUTE, Destination
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
        route = ROUTE.require(environ, by="NoUpstream")
        if DESTINATION.require(environ, by="NoUpstream") is Destination.INTERNAL:
            raise MissingLayer("NoUpstream was handed an internal package: put InternalStore outside NoUpstream.")
        if route.kind is Kind.ROOT and self.app is not None:
            return self.app(environ, start_response)
        verb = messages.method(environ)
        if verb == "POST" and route.kind is Kind.ADVISORIES:
            return messages.send_json(environ, start_response, {}, headers=messages.PRIVATE)
        if verb == "POST" and route.kind is Kind.AUDIT:
            return messages.send_json(environ, start_response, empty_report(), headers=messages.PRIVATE)
        # npm takes a 404 to an unpublish for success.
        if verb in {"PUT", "DELETE"} and route.name is not None:
            raise Forbidden(_SENTENCE, code="no-upstream")
        raise NotFound(_SENTENCE, code="no-upstream")
