"""Dashboard: pages for people under ``/-/dashboard/``, for administrators and readers.

Who looks is known by *login*: `SessionLogin` for a server with administrators of its own, `HostLogin` inside a host
application. Cookies are looked at below this path and nowhere else; an API token opens nothing here. A browser that
opens the root path is sent here. Every other path goes to *app*. Stands below ErrorResponses.

A page is a function from a `PageRequest` to a `Page`: the name of a template and its values. `render` fills it in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from nproxy_mw.access import Principal
from nproxy_mw.errors import BadRequest, MethodNotAllowed, NotFound, NproxyError, StorageError, Unauthenticated
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.http.context import actor_of, context_of
from nproxy_mw.http.handlers import VerbTable
from nproxy_mw.http.messages import NO_STORE, Response, is_read, send
from nproxy_mw.http.negotiation import header
from nproxy_mw.http.sites import base_url, check_domain, host_name
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.assets import ASSETS
from nproxy_mw.middleware.dashboard.cookies import SESSION, Cookie
from nproxy_mw.middleware.dashboard.forms import read_form, read_query
from nproxy_mw.middleware.dashboard.guards import check_access, check_form
from nproxy_mw.middleware.dashboard.layout import html
from nproxy_mw.middleware.dashboard.login import HostLogin, SessionLogin, VisitorLogin
from nproxy_mw.middleware.dashboard.pages import ROUTES
from nproxy_mw.middleware.dashboard.rendering import FILE_HEADERS, PAGE_HEADERS
from nproxy_mw.middleware.dashboard.request import PageRequest, Site
from nproxy_mw.npm.routes import EXPLAIN_PATH, Kind, parse_route
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import Organization

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["BASE", "Dashboard", "HostLogin", "SessionLogin"]

BASE = "/-/dashboard"
_log = logging.getLogger(__name__)


class Dashboard:
    """The dashboard over *organizations*, whose parts *tenant* opens by id.

    *registry_url* returns where clients reach the registry of an organization, given a request and its id;
    *firewall_of* returns its security rules, or None when there is no upstream. *resolve* tells whose registry a
    request is for, as `TenantRouter` asks it: a browser at the link of a refusal is sent to the page that explains it.
    If *public_url* is None, links follow the request. If *domain* is given, only that host serves the dashboard.

    Raises:
        ValueError: *domain* is not a domain's name.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        organizations: OrganizationDirectory,
        tenant: Callable[[str], Organization],
        login: VisitorLogin,
        registry_url: Callable[[WSGIEnvironment, str], str],
        firewall_of: FirewallOf,
        resolve: Callable[[WSGIEnvironment], tuple[str, WSGIEnvironment] | None] = lambda environ: None,
        public_url: str | None = None,
        domain: str | None = None,
    ) -> None:
        self.app = app
        self.site = Site(organizations, tenant, login, registry_url, firewall_of)
        self.resolve = resolve
        self.public_url = public_url
        self.domain = check_domain(domain) if domain is not None else None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path in ("", "/") and is_read(environ) and "text/html" in header(environ, "HTTP_ACCEPT"):
            return send(environ, start_response, _go(self._home(environ)))
        if EXPLAIN_PATH in path and is_read(environ) and "text/html" in header(environ, "HTTP_ACCEPT"):
            place = self._explanation(environ)
            if place:
                return send(environ, start_response, _go(place))
        is_here = self.domain is None or host_name(environ) == self.domain
        if not is_here or (path != BASE and not path.startswith(f"{BASE}/")):
            return self.app(environ, start_response)
        context_of(environ, by="Dashboard")
        return send(environ, start_response, self._response(environ, path.removeprefix(BASE).removeprefix("/")))

    def _response(self, environ: WSGIEnvironment, path: str) -> Response:
        if path in ASSETS and is_read(environ):
            return ASSETS[path]
        request = self._request(environ)
        try:
            return self._answered(request, path)
        except Unauthenticated:
            wanted = path.encode("latin-1").decode("utf-8", "replace") if is_read(environ) else ""
            return _go(request.sign_in_link(wanted), status=303)
        except Exception as error:
            request = self._placed(request, path)
            if isinstance(error, NproxyError) and not isinstance(error, StorageError):
                return _sent(request, _refusal(error, request), [*error.headers()])
            _log.error("request %s failed", request.actor.request_id, exc_info=error)
            return _sent(request, _failure(request))

    def _answered(self, request: PageRequest, path: str) -> Response:
        environ = request.environ
        offers, parts = ROUTES.find(path)
        offer = VerbTable(offers).find(environ)
        request = replace(request, parts=parts, query=read_query(environ))
        if not is_read(environ):
            # Before anything is refused: a browser shows no answer that arrives while it still sends.
            request = replace(request, form=read_form(environ))
        check_access(request, offer.access)
        if not is_read(environ):
            check_form(request, offer.access)
        return _sent(request, offer.handler(request))

    def _placed(self, request: PageRequest, path: str) -> PageRequest:
        """A refusal has the navigation of the organization that its *path* names, when the visitor may see it."""
        org = path.removeprefix("orgs/").partition("/")[0] if path.startswith("orgs/") else ""
        with suppress(NproxyError):
            if request.user.sees(org) and self.site.organizations.exists(org):
                return replace(request, parts={"org": org})
        return request

    def _request(self, environ: WSGIEnvironment) -> PageRequest:
        base = self._base(environ)
        is_secure = urlsplit(base_url(environ, self.public_url)).scheme == "https"
        secret = Cookie(SESSION, base, is_secure).read(environ)
        visitor = self.site.login.visitor(environ, secret)
        context = context_of(environ, by="Dashboard")
        if visitor is not None:
            context.principal = Principal(visitor.user.name)
        return PageRequest(
            environ=environ,
            site=self.site,
            visitor=visitor,
            actor=actor_of(context, environ),
            base=base,
            is_secure=is_secure,
            secret=secret,
        )

    def _home(self, environ: WSGIEnvironment) -> str:
        """Where a browser is sent that opens the root path: from the host of an organization, to the platform's own."""
        if self.domain is None or host_name(environ) == self.domain:
            return f"{self._base(environ)}/"
        port = urlsplit(f"//{environ.get('HTTP_HOST', '')}").port if self.public_url is None else None
        own = self.public_url or f"{environ['wsgi.url_scheme']}://{self.domain}{f':{port}' if port else ''}"
        return f"{own.rstrip('/')}{BASE}/"

    def _explanation(self, environ: WSGIEnvironment) -> str:
        """Where a browser is sent that follows the link of a refusal; empty when the path is no such link."""
        found = self.resolve(environ)
        if found is None:
            return ""
        org, inner = found
        try:
            route = parse_route(inner.get("PATH_INFO", ""))
        except BadRequest:
            return ""
        if route.kind is not Kind.EXPLAIN:
            return ""
        asked = {"package": str(route.package), **({"version": route.version} if route.version else {})}
        return f"{self._home(environ)}orgs/{quote(org, safe='')}/explain?{urlencode(asked)}"

    def _base(self, environ: WSGIEnvironment) -> str:
        return urlsplit(base_url(environ, self.public_url)).path + BASE


def _sent(request: PageRequest, answer: Answer, headers: Iterable[tuple[str, str]] = ()) -> Response:
    if isinstance(answer, Page):
        return Response(answer.status, [*PAGE_HEADERS, *answer.headers, *headers], html(request, answer))
    if isinstance(answer, Redirect):
        query = {**answer.query, **({"notice": answer.notice} if answer.notice else {})}
        url = f"{request.base}/{answer.path}{f'?{urlencode(query)}' if query else ''}"
        return _go(url, status=303, headers=answer.headers)
    disposition = f'attachment; filename="{answer.filename}"'
    return Response(
        200, [("Content-Type", answer.content_type), ("Content-Disposition", disposition), *FILE_HEADERS], answer.body
    )


def _go(location: str, *, status: int = 302, headers: Iterable[tuple[str, str]] = ()) -> Response:
    return Response(status, [("Location", location), ("Content-Type", "text/plain"), *NO_STORE, *headers])


def _refusal(error: NproxyError, request: PageRequest) -> Page:
    heading = _HEADINGS.get(error.status, "That did not work")
    advice = _ADVICE.get(error.status, "").format(id=request.actor.request_id)
    return Page("refusal.html", heading, {"sentence": error.message, "advice": advice}, error.status)


def _failure(request: PageRequest) -> Page:
    """What is shown when a page has a bug: nothing of it, but the id by which the log tells of it."""
    sentence = f"This page failed. The log of the server says why, under the request's id {request.actor.request_id}."
    return Page("refusal.html", "Something went wrong", {"sentence": sentence, "advice": ""}, 500)


_HEADINGS = {
    NotFound.status: "There is nothing here",
    403: "You may not do that",
    MethodNotAllowed.status: "That is not offered here",
    429: "Too many attempts",
    502: "The upstream did not answer",
    503: "Try again in a moment",
    504: "The upstream did not answer",
}

_LATER = "Reload the page in a moment. If this stays, the log of the server says why, under the request's id {id}."
_ADVICE = {
    400: "Go back, change what is wrong, and send it again.",
    NotFound.status: "It may have been removed meanwhile, or the address is not complete.",
    MethodNotAllowed.status: "Pages are opened by links, and changes are made by the forms on them.",
    413: "Go back, and send less at once.",
    502: _LATER,
    503: _LATER,
    504: _LATER,
}
"""What a person can do about a refusal whose sentence says only what was wrong."""
