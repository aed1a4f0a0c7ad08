"""Management: answers everything under ``/api/v1``, by its own authentication.

`operations` has the table of its calls, which ``/api/v1/openapi.json`` describes. Each other file has the
calls about one thing, and their rows.

API tokens open one thing here: anyone who may install packages may ask for an exception. Every other path goes to
*app*. Stands below ErrorResponses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, assert_never

from nproxy_mw.access import Administrators, Grant, Principal, Role, User, check_address, require
from nproxy_mw.accounts.signed_in import SignedIn
from nproxy_mw.errors import Forbidden, NotFound, Unauthenticated
from nproxy_mw.firewall.firewall import FirewallOf
from nproxy_mw.http.bearer import bearer
from nproxy_mw.http.context import context_of
from nproxy_mw.http.handlers import VerbTable
from nproxy_mw.http.messages import Response, send
from nproxy_mw.http.sites import check_domain, host_name, refuse_other_sites
from nproxy_mw.middleware.management import (
    exceptions,
    firewall,
    incident,
    keys,
    organizations,
    package_changes,
    packages,
    reading,
    tokens,
    upstream_packages,
)
from nproxy_mw.middleware.management.accounts import AccountCalls
from nproxy_mw.middleware.management.calls import Authenticator, Call, Tenant, called_by, reply
from nproxy_mw.middleware.management.openapi import openapi
from nproxy_mw.middleware.management.operations import ForUsers, OfOrganization, Operation, OperationTable, Public
from nproxy_mw.middleware.management.sessions import SessionCalls
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.token_format import looks_like_ours

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Administrators", "Authenticator", "Management", "Role", "SignedIn", "Tenant", "User"]

BASE = "/api/v1"


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
        self.authenticate = users
        self._table = OperationTable([self._describe(), *_operations(organizations, users, firewall_of)])
        self._description = openapi(self._table.operations, catalog)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        is_ours = path == BASE or path.startswith(BASE + "/")
        if not is_ours or (self.domain is not None and host_name(environ) != self.domain):
            return self.app(environ, start_response)
        context_of(environ, by="Management")
        operations, parameters = self._table.find(path.removeprefix(BASE))
        if not operations:
            raise NotFound(
                f"The management API has nothing at that path: see {BASE}/openapi.json.", code="route-not-found"
            )
        operation = VerbTable(operations).find(environ)
        refuse_other_sites(environ)
        return send(environ, start_response, self._answer(operation, environ, parameters))

    def _describe(self) -> Operation:
        handler = Public(lambda environ: reply(self._description))
        return Operation("GET", "/openapi.json", "describe", "This description", handler, {"type": "object"})

    def _answer(self, operation: Operation, environ: WSGIEnvironment, parameters: Mapping[str, str]) -> Response:
        match operation.access:
            case Public(handler):
                return handler(environ)
            case ForUsers(handler):
                return handler(self._call(environ, parameters))
            case OfOrganization() as access:
                return self._answer_for_organization(access, environ, parameters)
        assert_never(operation.access)

    def _answer_for_organization(
        self, access: OfOrganization, environ: WSGIEnvironment, parameters: Mapping[str, str]
    ) -> Response:
        org = parameters["orgId"]
        if access.by_token and looks_like_ours(secret := bearer(environ)):
            call = self._call_by_token(org, secret, environ)
        else:
            call = self._call(environ, parameters)
            self._require(call.user, org, access.role)
        return access.handler(call, self.tenant(org))

    def _require(self, user: User, org: str, role: Role) -> None:
        # Who may not see an organization does not learn whether it exists.
        if not user.sees(org) or not self.organizations.exists(org):
            raise NotFound("There is no such organization.", code="organization-not-found")
        if role is Role.ADMINISTRATOR and not user.manages(org):
            raise Forbidden(
                "Your role is 'reader', which this call does not allow: ask an administrator of the organization.",
                code="missing-role",
            )

    def _call_by_token(self, org: str, secret: str, environ: WSGIEnvironment) -> Call:
        """A call with an API token of the organization that may install packages."""
        # Who holds no token of an organization does not learn whether it exists.
        principal = self.tenant(org).tokens.find(secret) if self.organizations.exists(org) else None
        if principal is None:
            raise Unauthenticated("This API token is unknown, revoked or expired.", code="invalid-token")
        actor = called_by(principal, environ)
        check_address(principal, actor.ip)
        require(principal, Grant.PROXY)
        return Call(environ, User(principal.name, frozenset()), actor)

    def _call(self, environ: WSGIEnvironment, parameters: Mapping[str, str]) -> Call:
        user = self.authenticate(environ)
        if user is None:
            raise Unauthenticated(
                "This needs a session: sign in and send it in the Authorization header.", code="no-session"
            )
        return Call(environ, user, called_by(Principal(user.name), environ), parameters)


def _operations(directory: OrganizationDirectory, users: Authenticator, firewall_of: FirewallOf) -> Iterator[Operation]:
    """Yields every call but the description; those about sessions and accounts only where *users* are this server's."""
    if isinstance(users, SignedIn):
        yield from SessionCalls(users.administrators, users.sessions).operations()
        yield from AccountCalls(users.administrators, users.sessions).operations()
    yield from organizations.OrganizationCalls(directory).operations()
    yield from organizations.SETTINGS_OPERATIONS
    yield from tokens.OPERATIONS
    yield from keys.OPERATIONS
    yield from reading.OPERATIONS
    yield from packages.OPERATIONS
    yield from package_changes.OPERATIONS
    yield from firewall.operations(firewall_of)
    yield from upstream_packages.operations(firewall_of)
    yield from incident.operations(firewall_of)
    yield from exceptions.OPERATIONS
