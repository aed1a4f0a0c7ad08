"""Management: answers everything under ``/api/v1``, by its own authentication.

::

    /api/v1/openapi.json                   GET          the description of this API; for everybody
    /api/v1/sessions                       POST         sign in; for everybody. DELETE: sign out
    /api/v1/orgs                           GET POST     the organizations
    /api/v1/orgs/{org}/settings            GET PUT      its settings
    /api/v1/orgs/{org}/tokens              GET POST     its API tokens
    /api/v1/orgs/{org}/tokens/{id}         DELETE       revokes one
    /api/v1/orgs/{org}/audit               GET          its audit trail
    /api/v1/orgs/{org}/packages[/{name}]   GET          its internal packages

API tokens open nothing here. Every other path goes to *app*. Stands below ErrorResponses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from nproxy_mw.errors import MethodNotAllowed, NotFound, Unauthenticated
from nproxy_mw.http import messages
from nproxy_mw.http.context import REQUEST_ID
from nproxy_mw.http.sites import check_domain, host_name, refuse_other_sites
from nproxy_mw.middleware.management import organizations as about_organizations
from nproxy_mw.middleware.management import reading, tokens
from nproxy_mw.middleware.management.calls import Authenticator, Call, Reply, Tenant, User, verb
from nproxy_mw.middleware.management.openapi import OPENAPI
from nproxy_mw.middleware.management.sessions import Administrators, SignedIn
from nproxy_mw.orgs.directory import OrganizationDirectory

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Administrators", "Authenticator", "Management", "SignedIn", "Tenant", "User"]

BASE = "/api/v1"

Answer: TypeAlias = "Callable[[WSGIEnvironment], Reply]"
Verbs: TypeAlias = "Mapping[str, Answer]"


@dataclass(frozen=True, slots=True)
class _Place:
    """What a path under `BASE` is about."""

    segments: tuple[str, ...]

    @property
    def org(self) -> str:
        return self.segments[1]

    @property
    def rest(self) -> str:
        return "/".join(self.segments[3:])


class Management:
    """The management API over *organizations*, whose parts *tenant* opens by id.

    *users* tells who is signed in: a callable of the host application from an environ to a `User` or None, or
    `SignedIn`, for administrators of the server's own, who sign in and out by this API too. If *domain* is given, the
    API is at that host alone.

    Raises:
        ValueError: *domain* is not a domain's name.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        organizations: OrganizationDirectory,
        tenant: Callable[[str], Tenant],
        users: Authenticator,
        domain: str | None = None,
    ) -> None:
        self.app = app
        self.organizations = organizations
        self.tenant = tenant
        self.domain = check_domain(domain) if domain is not None else None
        self.authenticate = users
        self.sessions = users if isinstance(users, SignedIn) else None
        self._list = about_organizations.OrganizationCalls(organizations)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        is_ours = path == BASE or path.startswith(BASE + "/")
        if not is_ours or (self.domain is not None and host_name(environ) != self.domain):
            return self.app(environ, start_response)
        REQUEST_ID.require(environ, by="Management")
        verbs = self._verbs(_Place(tuple(path.removeprefix(BASE).removeprefix("/").split("/"))))
        answer = verbs.get(verb(environ))
        if answer is None:
            allow = tuple(name for given in verbs for name in ((given, "HEAD") if given == "GET" else (given,)))
            raise MethodNotAllowed("That method is not offered under this path.", allow=allow)
        refuse_other_sites(environ)
        return _send(environ, start_response, answer(environ))

    def _verbs(self, place: _Place) -> Verbs:
        """What is offered at a place. Raises `NotFound` when it is none."""
        match place.segments:
            case ("openapi.json",):
                return {"GET": lambda _: Reply(OPENAPI)}
            case ("sessions",) if self.sessions is not None:
                return {"POST": self.sessions.sign_in, "DELETE": self._sign_out}
            case ("orgs",):
                return {"GET": self._signed_in(self._list.listed), "POST": self._signed_in(self._list.create)}
            case ("orgs", _, "settings"):
                return self._of(place, GET=about_organizations.show_settings, PUT=about_organizations.change_settings)
            case ("orgs", _, "tokens"):
                return self._of(place, GET=tokens.list_tokens, POST=tokens.create_token)
            case ("orgs", _, "tokens", _):
                return self._of(place, DELETE=tokens.revoke_token)
            case ("orgs", _, "audit"):
                return self._of(place, GET=reading.audit)
            case ("orgs", _, "packages"):
                return self._of(place, GET=reading.list_packages)
            case ("orgs", _, "packages", _) | ("orgs", _, "packages", _, _):
                return self._of(place, GET=reading.show_package)
        raise NotFound("The management API has nothing at that path: see /api/v1/openapi.json.", code="route-not-found")

    def _of(self, place: _Place, **calls: Callable[[Call, Tenant], Reply]) -> Verbs:
        return {name: partial(self._tenants, place, call) for name, call in calls.items()}

    def _tenants(self, place: _Place, call: Callable[[Call, Tenant], Reply], environ: WSGIEnvironment) -> Reply:
        user = self._user(environ)
        # Whether it is there is not told to whoever may not manage it.
        if not user.manages(place.org) or not self.organizations.exists(place.org):
            raise NotFound("There is no such organization.", code="organization-not-found")
        return call(Call(environ, user, place.rest), self.tenant(place.org))

    def _signed_in(self, call: Callable[[Call], Reply]) -> Answer:
        return lambda environ: call(Call(environ, self._user(environ)))

    def _sign_out(self, environ: WSGIEnvironment) -> Reply:
        user = self._user(environ)
        return self.sessions.sign_out(environ, user) if self.sessions is not None else Reply(status=204)

    def _user(self, environ: WSGIEnvironment) -> User:
        user = self.authenticate(environ)
        if user is None:
            raise Unauthenticated(
                "This needs a session: sign in and send it in the Authorization header.", code="no-session"
            )
        return user


def _send(environ: WSGIEnvironment, start_response: StartResponse, reply: Reply) -> Iterable[bytes]:
    headers = [("Cache-Control", "no-store"), *reply.headers]
    if reply.document is None:
        start_response("204 No Content", headers)
        return []
    return messages.send_json(environ, start_response, reply.document, status=reply.status, headers=headers)
