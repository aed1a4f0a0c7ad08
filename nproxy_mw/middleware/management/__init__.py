"""Management: answers everything under ``/api/v1``, by its own authentication.

::

    /api/v1/openapi.json                   GET          the description of this API, without a session
    /api/v1/sessions                       POST DELETE  sign in, without a session; sign out
    /api/v1/orgs                           GET POST     the organizations
    /api/v1/orgs/{org}/settings            GET PUT      its settings
    /api/v1/accounts[/{name}[/sessions]]   GET POST PUT DELETE   who may sign in, and what each may do
    /api/v1/orgs/{org}/keys                GET POST     its signing keys
    /api/v1/orgs/{org}/tokens              GET POST DELETE   its API tokens
    /api/v1/orgs/{org}/tokens/{id}         DELETE       revokes one
    /api/v1/orgs/{org}/audit               GET          its audit trail
    /api/v1/orgs/{org}/packages[/{name}]   GET          its internal packages
    /api/v1/orgs/{org}/explain/{name}[/{version}]   GET    what its rules say of an upstream package
    /api/v1/orgs/{org}/installs            GET          who fetched which version
    /api/v1/orgs/{org}/exceptions/requests                      GET POST   requests for exceptions from its rules
    /api/v1/orgs/{org}/exceptions/requests/{id}/approve, deny   POST       answers one

API tokens open one thing here: whoever may install packages may ask for an exception. Every other path goes to *app*.
Stands below ErrorResponses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from nproxy_mw.access import Administrators, Grant, Principal, Role, User, require
from nproxy_mw.errors import Forbidden, NotFound, Unauthenticated
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.http.context import context_of
from nproxy_mw.http.handlers import VerbTable
from nproxy_mw.http.messages import Response, send
from nproxy_mw.http.sites import check_domain, host_name, refuse_other_sites
from nproxy_mw.middleware.management import exceptions, firewall, keys, packages, reading, tokens
from nproxy_mw.middleware.management import organizations as about_organizations
from nproxy_mw.middleware.management.accounts import AccountCalls
from nproxy_mw.middleware.management.calls import (
    Authenticator,
    Call,
    Tenant,
    bearer,
    called_by,
    reply,
)
from nproxy_mw.middleware.management.openapi import openapi
from nproxy_mw.middleware.management.sessions import SignedIn
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.token_format import looks_like_ours

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Administrators", "Authenticator", "Management", "Role", "SignedIn", "Tenant", "User"]

BASE = "/api/v1"

ManagementHandler: TypeAlias = "Callable[[WSGIEnvironment], Response]"


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

    *users* tells who is signed in. It is a callable of the host application from an environ to a `User` or None; or it
    is `SignedIn`, for the server's own administrators, who sign in and out by this API. If *domain* is given, only that
    host serves the API. *firewall_of* returns the rules of an organization over the upstream, by its id; None when
    there is no upstream. *catalog* has the rules that *tenant* opens its settings with.

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
        firewall_of: FirewallOf = lambda org: None,
        catalog: Catalog = SHIPPED,
    ) -> None:
        self.app = app
        self.organizations = organizations
        self.tenant = tenant
        self.domain = check_domain(domain) if domain is not None else None
        self.firewall_of = firewall_of
        self.authenticate = users
        self.sessions = users if isinstance(users, SignedIn) else None
        self._description = openapi(catalog)
        self._accounts = AccountCalls(users.administrators) if isinstance(users, SignedIn) else None
        self._list = about_organizations.OrganizationCalls(organizations)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        is_ours = path == BASE or path.startswith(BASE + "/")
        if not is_ours or (self.domain is not None and host_name(environ) != self.domain):
            return self.app(environ, start_response)
        context_of(environ, by="Management")
        handlers = self._handlers(_Place(tuple(path.removeprefix(BASE).removeprefix("/").split("/"))))
        handler = VerbTable(handlers).find(environ)
        refuse_other_sites(environ)
        return send(environ, start_response, handler(environ))

    def _handlers(self, place: _Place) -> dict[str, ManagementHandler]:
        """Returns what is offered at a place, by method. Raises `NotFound` when it is none."""
        match place.segments:
            case ("openapi.json",):
                return {"GET": lambda _: reply(self._description)}
            case ("sessions",) if self.sessions is not None:
                return {"POST": self.sessions.sign_in, "DELETE": self._signed_in(self.sessions.sign_out)}
            case ("accounts", *rest) if self._accounts is not None and len(rest) <= 2:
                return self._about_accounts(self._accounts, rest)
            case ("orgs",):
                return {"GET": self._signed_in(self._list.listed), "POST": self._signed_in(self._list.create)}
        return self._about_organization(place)

    def _about_organization(self, place: _Place) -> dict[str, ManagementHandler]:
        match place.segments:
            case ("orgs", _, "settings"):
                return self._of(place, GET=about_organizations.show_settings, PUT=about_organizations.change_settings)
            case ("orgs", _, "tokens"):
                return self._of(place, GET=tokens.list_tokens, POST=tokens.create_token, DELETE=tokens.revoke_all)
            case ("orgs", _, "keys"):
                return {
                    **self._of(place, Role.READER, GET=keys.list_keys),
                    **self._of(place, POST=keys.rotate_keys),
                }
            case ("orgs", _, "tokens", _):
                return self._of(place, DELETE=tokens.revoke_token)
            case ("orgs", _, "audit"):
                return self._of(place, Role.READER, GET=reading.audit)
            case ("orgs", _, "packages"):
                return self._of(place, Role.READER, GET=packages.list_packages)
            case ("orgs", _, "packages", _) | ("orgs", _, "packages", _, _):
                return self._of(place, Role.READER, GET=packages.show_package)
            case ("orgs", _, "explain", _) | ("orgs", _, "explain", _, _) | ("orgs", _, "explain", _, _, _):
                return self._of(place, Role.READER, GET=partial(firewall.explain, self.firewall_of))
            case ("orgs", _, "installs"):
                return self._of(place, Role.READER, GET=firewall.installs)
            case ("orgs", _, "exceptions", "requests"):
                return {**self._of(place, Role.READER, GET=exceptions.list_requests), "POST": partial(self._ask, place)}
            case ("orgs", _, "exceptions", "requests", _, "approve"):
                return self._of(place, POST=exceptions.approve)
            case ("orgs", _, "exceptions", "requests", _, "deny"):
                return self._of(place, POST=exceptions.deny)
        raise NotFound("The management API has nothing at that path: see /api/v1/openapi.json.", code="route-not-found")

    def _about_accounts(self, accounts: AccountCalls, rest: Sequence[str]) -> dict[str, ManagementHandler]:
        name = rest[0] if rest else ""
        signed_in = partial(self._signed_in, rest=name)
        if not rest:
            return {"GET": signed_in(accounts.listed), "POST": signed_in(accounts.create)}
        if len(rest) == 1:
            return {"PUT": signed_in(accounts.change), "DELETE": signed_in(accounts.remove)}
        if rest[1] == "sessions":
            return {"DELETE": signed_in(accounts.end_sessions)}
        raise NotFound("The management API has nothing at that path: see /api/v1/openapi.json.", code="route-not-found")

    def _of(
        self, place: _Place, role: Role = Role.ADMINISTRATOR, **answers: Callable[[Call, Tenant], Response]
    ) -> dict[str, ManagementHandler]:
        return {method: partial(self._tenants, place, role, answer) for method, answer in answers.items()}

    def _tenants(
        self, place: _Place, role: Role, answer: Callable[[Call, Tenant], Response], environ: WSGIEnvironment
    ) -> Response:
        call = self._call(environ, place.rest)
        # Who may not see an organization does not learn whether it exists.
        if not call.user.sees(place.org) or not self.organizations.exists(place.org):
            raise NotFound("There is no such organization.", code="organization-not-found")
        if role is Role.ADMINISTRATOR and not call.user.manages(place.org):
            raise Forbidden(
                "Your role is 'reader', which this call does not allow: ask an administrator of the organization.",
                code="missing-role",
            )
        return answer(call, self.tenant(place.org))

    def _ask(self, place: _Place, environ: WSGIEnvironment) -> Response:
        """A request for an exception, which an API token may make too."""
        secret = bearer(environ)
        if not looks_like_ours(secret):
            return self._tenants(place, Role.READER, exceptions.ask, environ)
        # Who holds no token of an organization does not learn whether it exists.
        principal = self.tenant(place.org).tokens.find(secret) if self.organizations.exists(place.org) else None
        if principal is None:
            raise Unauthenticated("This API token is unknown, revoked or expired.", code="invalid-token")
        actor = called_by(principal, environ)
        require(principal, Grant.PROXY)
        return exceptions.ask(Call(environ, User(principal.name, frozenset()), actor), self.tenant(place.org))

    def _signed_in(self, answer: Callable[[Call], Response], rest: str = "") -> ManagementHandler:
        return lambda environ: answer(self._call(environ, rest))

    def _call(self, environ: WSGIEnvironment, rest: str = "") -> Call:
        user = self.authenticate(environ)
        if user is None:
            raise Unauthenticated(
                "This needs a session: sign in and send it in the Authorization header.", code="no-session"
            )
        return Call(environ, user, called_by(Principal(user.name), environ), rest)
