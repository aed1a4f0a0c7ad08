"""Forwarder: asks the upstream registry, and says what it says. The bottom of the standard stack.

Denies by default: only the paths and verbs of the table below go upstream, each rebuilt from the parsed route, with an
allow-list of headers. What is marked internal is refused, whatever the order of the layers: the wall stands even when
they were composed wrongly. A client's own Authorization header goes up with a write, and with nothing else.

::

    packument, version, dist-tags   GET HEAD   the full packument is read; the asked form is derived from it
    tarball                         GET HEAD   streamed; a body that ends too early never looks complete
    publish, deprecate, tag,        PUT DELETE streamed up with the client's npm token; the status comes back as it is
    unpublish
    keys, attestations              GET HEAD   passed on
    audits                          POST       rebuilt without internal names; our own advisories are added
    explain                         GET HEAD   why a version is held; asked of the security rules, where there are some

A write without a token of the upstream could only fail there, after the whole tarball was sent: it is refused here. A
mistyped scope hands nothing to the public registry.

Reads go to a source of packages (`nproxy_mw.npm.source`), writes and audits straight to the upstream. An answer never
shows where the upstream is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from nproxy_mw.errors import MissingLayer, NotFound, ServerError, Unauthenticated
from nproxy_mw.firewall.auditing import Audits
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.grounds import rest_on
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import PUBLISH_LIMIT
from nproxy_mw.http.context import CURRENT, Destination
from nproxy_mw.http.handlers import Handler, Request, VerbTable, routed
from nproxy_mw.http.messages import Headers, Response, json_response, send
from nproxy_mw.http.renderer import Renderer
from nproxy_mw.http.sites import base_url
from nproxy_mw.http.views import Shelf, Views, small_response
from nproxy_mw.middleware.forwarder.bodies import Upload, by_name
from nproxy_mw.middleware.forwarder.explaining import explain, with_verdicts
from nproxy_mw.npm.forms import written_members
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Kind, explain_url
from nproxy_mw.npm.slices import Members, list_of
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.rules.held import Held
from nproxy_mw.token_format import mentions_ours
from nproxy_mw.upstream import relaying
from nproxy_mw.upstream.remote import Remote
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.rewriting import UrlRewriter
from nproxy_mw.upstream.transport import Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)


class Forwarder:
    """Answers everything that is not internal with what the upstream says.

    *app* is the host application at the bottom of a stack: it is handed the root path and nothing else; if it is None,
    the root is 404. *source* is what is read from, such as the upstream with rules and a cache before it; if it is
    None, it is that of *firewall*, or else the upstream behind *transport* is asked at each read. *firewall* explains
    what is held, and has advisories; if it is None, there are no explanations and only the upstream's advisories.
    *changed* is called with the name of each package that a client changed, or may have changed. If *public_url* is
    None, the URLs in answers follow the request. If *views* is None, finished answers are kept in 64 MiB of this
    layer's own. Large ones are shared with other processes on *shelf*, if there is one.
    """

    def __init__(
        self,
        app: WSGIApplication | None = None,
        *,
        transport: Transport,
        source: PackageSource | None = None,
        firewall: Firewall | None = None,
        changed: Callable[[Name], None] | None = None,
        public_url: str | None = None,
        views: Views | None = None,
        shelf: Shelf | None = None,
        max_publish: int = PUBLISH_LIMIT,  # bytes
    ) -> None:
        self.app = app
        self.remote = Remote(transport)
        self.source = source or (firewall.source if firewall else self.remote)
        self.firewall = firewall
        self.changed = changed or (lambda name: None)
        self.public_url = public_url
        self.max_publish = max_publish
        self._reading = Renderer(
            self.source,
            views or Views(),
            owner="",
            shelf=shelf,
            public_url=public_url,
            finish=self._without_upstream,
        )
        self._tables = self._offered()
        self._notes_grounds = firewall is not None and firewall.source is self.source and firewall.notes_grounds

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = routed(environ, by="Forwarder")
        route = request.route
        if request.destination is Destination.INTERNAL or (route.name is not None and request.is_internal(route.name)):
            raise MissingLayer("Forwarder was handed an internal package: put InternalStore outside Forwarder.")
        if route.kind is Kind.ROOT and self.app is not None:
            return self.app(environ, start_response)
        table = self._tables.get(route.kind)
        if table is None:
            raise NotFound("This registry has nothing at that path.")
        return send(environ, start_response, self._response(table.find(environ), request))

    def _response(self, handler: Handler, request: Request) -> Response:
        if not self._notes_grounds:
            rest_on(None)
        token = CURRENT.set(request.context)
        try:
            return with_verdicts(handler(request), request.context)
        except Held as held:
            if self.firewall is not None:
                held.see = explain_url(base_url(request.environ, self.public_url), held.package, held.version)
            raise
        finally:
            CURRENT.reset(token)

    def _offered(self) -> Mapping[Kind, VerbTable[Handler]]:
        audits = Audits(self.remote, self.firewall, self._once)
        offered: dict[Kind, VerbTable[Handler]] = {
            Kind.PACKUMENT: VerbTable({"GET": self._reading.packument, "PUT": self._write}),
            Kind.PACKUMENT_REVISION: VerbTable({"PUT": self._write, "DELETE": self._write}),
            Kind.MANIFEST: VerbTable({"GET": self._reading.manifest}),
            Kind.TARBALL: VerbTable({"GET": self._reading.tarball}),
            Kind.TARBALL_REVISION: VerbTable({"DELETE": self._write}),
            Kind.DIST_TAGS: VerbTable({"GET": self._reading.dist_tags}),
            Kind.DIST_TAG: VerbTable({"PUT": self._write, "DELETE": self._write}),
            Kind.KEYS: VerbTable({"GET": self._keys}),
            Kind.ATTESTATIONS: VerbTable({"GET": self._reading.attestations}),
            Kind.ADVISORIES: VerbTable({"POST": audits.bulk}),
            Kind.AUDIT: VerbTable({"POST": audits.quick}),
        }
        if self.firewall is not None:
            offered[Kind.EXPLAIN] = VerbTable({"GET": partial(explain, self.firewall)})
        return offered

    def _keys(self, request: Request) -> Response:
        document = self.source.document(request.route)
        # npm takes 404 for "this registry signs nothing"; a body without the list makes it crash.
        if document is None or not list_of(document.members.get("keys")):
            raise NotFound("The upstream registry publishes no signing keys.", code="no-keys")
        return self._once(request, document.members)

    def _write(self, request: Request) -> Response:
        headers, route = _headers(request, relaying.FOR_WRITES), request.route
        authorization = request.principal.upstream_authorization
        if authorization is None:
            raise Unauthenticated(
                "This package belongs to the upstream registry, and changing it needs a token of that registry, which "
                f"was not sent. If you meant an internal package, check its scope: {request.scopes_in_words()}.",
                code="no-upstream-token",
            )
        headers.append(("Authorization", authorization))
        is_document = request.method == "PUT" and route.kind is not Kind.DIST_TAG
        named = route.package if is_document else None
        upload = Upload(request.environ, self.max_publish, self._rewriter(request), named)
        headers += upload.headers
        answer, raw = self._sent(request, headers, upload)
        upload.drain()
        _log.info("the upstream answered %s to %s of %s", answer.status, request.method, route.name)
        return self._relayed(request, answer, raw)

    def _sent(self, request: Request, headers: Headers, upload: Upload) -> tuple[UpstreamResponse, bytes]:
        route = request.route
        try:
            answer, raw = self.remote.write(request.method, route, headers, upload)
        except ServerError:  # it may have been carried out all the same
            self.changed(route.package)
            raise
        if answer.status < 400:
            self.changed(route.package)
        return answer, raw

    def _relayed(self, request: Request, answer: UpstreamResponse, raw: bytes) -> Response:
        rewriter = self._rewriter(request)
        names = (*relaying.OF_WRITES, *(("WWW-Authenticate",) if answer.status == 401 else ()))
        passed = relaying.passed(by_name(answer), names)
        headers = [(name, rewriter.to_local_text(value)) for name, value in passed]
        if answer.status == 204:
            return Response(204, headers)
        status = answer.status if answer.status in set(HTTPStatus) else 400
        document = relaying.relayed(answer.status, raw, rewriter)
        if "error" in document:
            document["requestId"] = request.context.request_id
        return json_response(document, status, [*headers, *messages.NO_STORE])

    def _once(self, request: Request, members: Members) -> Response:
        base = base_url(request.environ, self.public_url)
        return small_response(request.environ, self._without_upstream(written_members(members), base))

    def _without_upstream(self, body: bytes, base: str) -> bytes:
        return UrlRewriter(self.remote.url, base).to_local(body)

    def _rewriter(self, request: Request) -> UrlRewriter:
        return UrlRewriter(self.remote.url, base_url(request.environ, self.public_url))


def _headers(request: Request, names: Sequence[str]) -> list[tuple[str, str]]:
    """Those request headers of *names* that may go up: none that holds a token of ours, wherever a client put it."""
    environ = request.environ
    given = {name.lower(): environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
    found = relaying.passed({**given, "content-type": environ.get("CONTENT_TYPE", "")}, names)
    return [(name, value) for name, value in found if not mentions_ours(value)]
