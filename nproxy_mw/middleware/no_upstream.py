"""NoUpstream: stands where Forwarder would, in a registry of internal packages alone.

Everything that is not internal is absent, and a sentence says why. Audits find what this registry knows itself. Where
it knows nothing, they find nothing, so that no install fails, unless the organization's settings want a 404 then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.errors import Forbidden, MissingLayer, NotFound
from nproxy_mw.firewall.advisories import Advisors
from nproxy_mw.firewall.auditing import Audits
from nproxy_mw.http.context import Destination
from nproxy_mw.http.handlers import Request, routed
from nproxy_mw.http.messages import Response, send
from nproxy_mw.http.views import small_response
from nproxy_mw.npm.forms import written_members
from nproxy_mw.npm.routes import Kind
from nproxy_mw.npm.slices import Members

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SENTENCE = "This registry serves internal packages only: it has no upstream registry to ask."


class NoUpstream:
    """Answers 404 to what is not internal; *app*, the host application, is handed the root path if it is given.

    *advisors* have advisories for audits; if it is None, there are none.
    """

    def __init__(self, app: WSGIApplication | None = None, *, advisors: Advisors | None = None) -> None:
        self.app = app
        self._audits = Audits(None, advisors, _finished)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = routed(environ, by="NoUpstream")
        if request.destination is Destination.INTERNAL:
            raise MissingLayer("NoUpstream was handed an internal package: put InternalStore outside NoUpstream.")
        if request.route.kind is Kind.ROOT and self.app is not None:
            return self.app(environ, start_response)
        return send(environ, start_response, self._response(request))

    def _response(self, request: Request) -> Response:
        kind = request.route.kind
        if request.method == "POST" and kind is Kind.ADVISORIES:
            return self._audits.bulk(request)
        if request.method == "POST" and kind is Kind.AUDIT:
            return self._audits.quick(request)
        return _refused(request)


def _finished(request: Request, members: Members) -> Response:
    return small_response(request.environ, written_members(members))


def _refused(request: Request) -> Response:
    # npm takes a 404 to an unpublish for success.
    if request.method in {"PUT", "DELETE"} and request.route.name is not None:
        raise Forbidden(f"{_SENTENCE} Check the scope: {request.scopes_in_words()}.", code="no-upstream")
    raise NotFound(_SENTENCE, code="no-upstream")
