"""Forwarder: asks the upstream registry, and says what it says. The bottom of the standard stack.

Denies by default: only the paths and verbs of the table below go upstream, each rebuilt from the parsed route, with an
allow-list of headers. What is marked internal is refused, whatever the order of the layers: the wall stands even when
they were composed wrongly. A client's own Authorization header goes up with a write, and with nothing else.

::

    packument, version, dist-tags   GET HEAD   the full packument is fetched; the asked form is derived from it
    tarball                         GET HEAD   streamed; a body that ends too early never looks complete
    publish, deprecate, tag,        PUT DELETE streamed up with the client's npm token; the status comes back as it is
    unpublish
    keys, attestations              GET HEAD   passed on
    audits                          POST       rebuilt without internal names

An answer never shows where the upstream is. Nothing is kept here: UpstreamCache does that, above.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import orjson

from nproxy_mw.errors import BadRequest, Forbidden, MethodNotAllowed, MissingLayer, NotFound, ServerError
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import PUBLISH_LIMIT, read_body
from nproxy_mw.http.context import DESTINATION, PRINCIPAL, REQUEST_ID, ROUTE, Destination
from nproxy_mw.middleware.forwarder.bodies import Upload, by_name, send_document, send_tarball
from nproxy_mw.npm.audits import bulk_without, empty_report, is_empty, quick_without
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.packuments import abbreviated, resolve
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.token_format import PREFIX
from nproxy_mw.upstream import relaying as passing
from nproxy_mw.upstream.documents import UrlRewriter
from nproxy_mw.upstream.remote import Upstream
from nproxy_mw.upstream.responses import UpstreamResponse
from nproxy_mw.upstream.transport import Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_log = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[WSGIEnvironment, StartResponse, Route], Iterable[bytes]]"

MAX_AUDIT = 16 * 2**20  # bytes; a bulk audit of ten thousand packages has about half a megabyte

_NO_AUDIT = ("npm-notice", "The upstream registry offers no security audit: nothing was checked.")


class Scopes(Protocol):
    """What this layer needs to know of an organization's settings: the scopes that the upstream may not hear of."""

    @property
    def internal_scopes(self) -> Collection[str]: ...


class SettingsSource(Protocol):
    """Where an organization's settings are asked for, at each request."""

    def get(self) -> Scopes: ...


class Forwarder:
    """Answers everything that is not internal with what the upstream says.

    *app* is the host application at the bottom of a stack: it is handed the root path and nothing else; if it is None,
    the root is 404. If *settings* is None, audits are not sent upstream, for their internal names cannot be told; they
    are answered as by an upstream without audits. If *public_url* is None, the URLs in answers follow the request.
    """

    def __init__(
        self,
        app: WSGIApplication | None = None,
        *,
        transport: Transport,
        settings: SettingsSource | None = None,
        public_url: str | None = None,
        max_publish: int = PUBLISH_LIMIT,  # bytes
    ) -> None:
        self.app = app
        self.upstream = Upstream(transport)
        self.settings = settings
        self.public_url = public_url
        self.max_publish = max_publish
        self._table = self._offered()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        destination = DESTINATION.require(environ, by="Forwarder")
        route = ROUTE.require(environ, by="Forwarder")
        PRINCIPAL.require(environ, by="Forwarder")
        if destination is Destination.INTERNAL or (route.name is not None and self._is_internal(route.name)):
            raise MissingLayer("Forwarder was handed an internal package: put InternalStore outside Forwarder.")
        if route.kind is Kind.ROOT and self.app is not None:
            return self.app(environ, start_response)
        verbs = self._table.get(route.kind)
        if verbs is None:
            raise NotFound("This registry has nothing at that path.")
        respond = verbs.get(messages.method(environ))
        if respond is None:
            allow = [verb for given in verbs for verb in ((given, "HEAD") if given == "GET" else (given,))]
            raise MethodNotAllowed("That verb is not offered for this path.", allow=tuple(allow))
        return respond(environ, start_response, route)

    def _offered(self) -> Mapping[Kind, Mapping[str, Handler]]:
        return {
            Kind.PACKUMENT: {"GET": self._packument, "PUT": self._write},
            Kind.PACKUMENT_REVISION: {"PUT": self._write, "DELETE": self._write},
            Kind.MANIFEST: {"GET": self._manifest},
            Kind.TARBALL: {"GET": self._tarball},
            Kind.TARBALL_REVISION: {"DELETE": self._write},
            Kind.DIST_TAGS: {"GET": self._dist_tags},
            Kind.DIST_TAG: {"PUT": self._write, "DELETE": self._write},
            Kind.KEYS: {"GET": self._keys},
            Kind.ATTESTATIONS: {"GET": self._attestations},
            Kind.ADVISORIES: {"POST": self._advisories},
            Kind.AUDIT: {"POST": self._audit},
        }

    def _packument(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        packument = self._fetched(environ, route)
        if messages.wants_abbreviated(environ):
            return self._send(environ, start_response, abbreviated(packument), messages.ABBREVIATED)
        return self._send(environ, start_response, packument)

    def _manifest(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        return self._send(environ, start_response, resolve(self._fetched(environ, route), route.version))

    def _dist_tags(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        return self._send(environ, start_response, self.upstream.dist_tags(_named(route)))

    def _keys(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        keys = self.upstream.document(route, "keys")
        # npm takes 404 for "this registry signs nothing"; a body without the list makes it crash.
        if keys is None or not isinstance(keys.get("keys"), list):
            raise NotFound("The upstream registry publishes no signing keys.", code="no-keys")
        return self._send(environ, start_response, keys)

    def _attestations(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        attestations = self.upstream.document(route, "attestation")
        if attestations is None:
            raise NotFound("The upstream registry has no attestation of that version.")
        return self._send(environ, start_response, attestations)

    def _advisories(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        asked = bulk_without(_read_json(environ), self._is_internal)
        advisories: dict[str, Any] | None = {}
        if asked:
            try:
                advisories = self.upstream.audit(route, asked) if self.settings is not None else None
            except (ServerError, Forbidden, NotFound) as error:
                # An install asks this too: it must not fail, nor wait for retries, because an audit is not to be had.
                _log.warning("the upstream's audit failed: %s", error)
                advisories = None
        if advisories is None:
            return messages.send_json(environ, start_response, {}, headers=[*messages.PRIVATE, _NO_AUDIT])
        return self._send(environ, start_response, {name: advisories[name] for name in asked if name in advisories})

    def _audit(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        asked = quick_without(_read_json(environ), self._is_internal)
        if is_empty(asked):
            return self._send(environ, start_response, empty_report())
        report = self.upstream.audit(route, asked) if self.settings is not None else None
        if report is None:
            raise NotFound("The upstream registry offers no security audit.", code="no-audit")
        return self._send(environ, start_response, report)

    def _tarball(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        headers = _headers(environ, passing.FOR_TARBALLS) + passing.one_range(environ.get("HTTP_RANGE", ""))
        # Identity: a .tgz that was encoded once more for the way would not match its integrity.
        headers += [("Accept", "*/*"), ("Accept-Encoding", "identity")]
        answer = self.upstream.tarball(str(environ["REQUEST_METHOD"]), _named(route), route.filename, headers)
        return send_tarball(environ, start_response, answer)

    def _write(self, environ: WSGIEnvironment, start_response: StartResponse, route: Route) -> Iterable[bytes]:
        headers = _headers(environ, passing.FOR_WRITES)
        authorization = PRINCIPAL.require(environ, by="Forwarder").upstream_authorization
        if authorization is not None:
            headers.append(("Authorization", authorization))
        is_document = environ["REQUEST_METHOD"] == "PUT" and route.kind is not Kind.DIST_TAG
        named = _named(route) if is_document else None
        upload = Upload(environ, self.max_publish, self._rewriter(environ), named)
        headers += upload.headers
        answer, raw = self.upstream.write(str(environ["REQUEST_METHOD"]), route, headers, upload)
        upload.drain()
        _log.info("the upstream answered %s to %s of %s", answer.status, environ["REQUEST_METHOD"], route.name)
        return self._relay(environ, start_response, answer, raw)

    def _relay(
        self, environ: WSGIEnvironment, start_response: StartResponse, answer: UpstreamResponse, raw: bytes
    ) -> Iterable[bytes]:
        rewriter = self._rewriter(environ)
        names = (*passing.OF_WRITES, *(("WWW-Authenticate",) if answer.status == 401 else ()))
        headers = [(name, rewriter.to_local_text(value)) for name, value in passing.passed(by_name(answer), names)]
        if answer.status == 204:
            start_response("204 No Content", headers)
            return []
        status = answer.status if answer.status in set(HTTPStatus) else 400
        document = passing.relayed(answer.status, raw, rewriter)
        request_id = REQUEST_ID.find(environ)
        if "error" in document and request_id is not None:
            document["requestId"] = request_id
        headers.append(("Cache-Control", "no-store"))
        return messages.send_json(environ, start_response, document, status=status, headers=headers)

    def _fetched(self, environ: WSGIEnvironment, route: Route) -> dict[str, Any]:
        packument = self.upstream.packument(_named(route), for_write=messages.is_for_write(environ))
        return self._rewriter(environ).with_local_urls(packument)

    def _send(
        self, environ: WSGIEnvironment, start_response: StartResponse, document: Any, content_type: str = messages.JSON
    ) -> Iterable[bytes]:
        body = self._rewriter(environ).encoded(document)
        return send_document(environ, start_response, body, content_type)

    def _rewriter(self, environ: WSGIEnvironment) -> UrlRewriter:
        return UrlRewriter(self.upstream.url, messages.base_url(environ, self.public_url))

    def _is_internal(self, name: Name) -> bool:
        return self.settings is not None and name.scope in self.settings.get().internal_scopes


def _named(route: Route) -> Name:
    assert route.name is not None  # noqa: S101 - routes of these kinds are parsed with one
    return route.name


def _read_json(environ: WSGIEnvironment) -> Any:
    try:
        return orjson.loads(read_body(environ, MAX_AUDIT))
    except orjson.JSONDecodeError as error:
        raise BadRequest("The request body is not JSON.") from error


def _headers(environ: WSGIEnvironment, names: Sequence[str]) -> list[tuple[str, str]]:
    """Those request headers of *names* that may go up: none that holds a token of ours, wherever a client put it."""
    given = {name.lower(): environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
    found = passing.passed({**given, "content-type": environ.get("CONTENT_TYPE", "")}, names)
    return [(name, value) for name, value in found if PREFIX not in value]
