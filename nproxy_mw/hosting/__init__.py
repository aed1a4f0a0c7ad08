"""The platform: many organizations on one storage, each with the standard stack of its own.

::

    Repeat            asked before, and nothing has changed?
    ErrorResponses    every error becomes npm's JSON; the request gets an id
    Dashboard         /-/dashboard, where one is given
    Management        /api/v1, by sessions or the host's own login
    TenantRouter      whose registry is it?                   fills in ORG
      Login           npm login, where there are administrators
      Authenticate ... the organization's own stack, as in `nproxy_mw.stack`
      OwnTokens       npm token, npm logout

A stack is built at the first request for its organization; connections and finished answers are shared by all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from nproxy_mw.access import Administrators, Tokens
from nproxy_mw.errors import NotFound
from nproxy_mw.firewall.firewall import Firewall
from nproxy_mw.firewall.gateway import Gateway
from nproxy_mw.http.late import LateLayer
from nproxy_mw.http.sites import base_url, check_domain
from nproxy_mw.http.views import Views
from nproxy_mw.intelligence.port import Intelligence
from nproxy_mw.lru import Lru
from nproxy_mw.middleware.error_responses import ErrorResponses
from nproxy_mw.middleware.login import Login
from nproxy_mw.middleware.own_tokens import OwnTokens
from nproxy_mw.middleware.repeat import Repeat
from nproxy_mw.middleware.tenants import Resolve, TenantRouter
from nproxy_mw.orgs.organization import Organization, Organizations
from nproxy_mw.orgs.seal import Seal
from nproxy_mw.rules.catalog import Catalog
from nproxy_mw.rules.shipped import SHIPPED
from nproxy_mw.stack import DEPLOYMENT, Layer, front_page, gateway_to, known_by, layers, stack, transport_to
from nproxy_mw.upstream.cache import default_cache
from nproxy_mw.upstream.transport import Transport

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from nproxy_mw.middleware.management import Authenticator

MANAGEMENT = "/api/v1"
"""Where the management API lies; `nproxy_mw.middleware.management.BASE`, which would import all of it."""

CAPACITY = 256
"""Organizations whose stacks one process keeps; others are built again when they are asked for."""


class Platform:
    """*organizations* as one WSGI application.

    *resolve* is `FixedOrg`, `ByHost` or `ByPath`. A fixed organization must have been made before; any other is looked
    for in the storage at each request, so that one made by another process is there at once. If *upstream* is None,
    there are internal packages only, and audits know what *intelligence* knows. *public_url* is where clients reach the
    platform itself; if it is None, URLs in answers follow the request. *users* says who may use the management API; if
    it is None, there is none. *administrators* are those who may use ``npm login``; if it is None, there is no login.
    *tokens* returns the tokens of an organization by its id; if it is None, they are the organization's own.
    *dashboard* is a partial of `Dashboard` with its login, which needs the extra ``server``; if it is None, there are
    no pages. It sees no request whose answer is repeated (`nproxy_mw.middleware.repeat`), and neither does *resolve*.
    With a *resolve* of another kind, nothing is repeated.

    Raises:
        TypeError: one of them is something else.
    """

    def __init__(
        self,
        organizations: Organizations,
        *,
        resolve: Resolve,
        upstream: str | Transport | Gateway | None = None,
        intelligence: Intelligence | None = None,
        public_url: str | None = None,
        users: Authenticator | None = None,
        administrators: Administrators | None = None,
        tokens: Callable[[str], Tokens] | None = None,
        dashboard: Callable[..., WSGIApplication] | None = None,
    ) -> None:
        if not isinstance(organizations, Organizations):
            raise TypeError("Platform takes organizations: Platform(Organizations.at('/srv/npm'), resolve=ByPath()).")
        _check(resolve, users=users, tokens=tokens, dashboard=dashboard)
        self.organizations = organizations.directory
        self.resolve = resolve
        self.gateway = _gateway(upstream, organizations.catalog)
        self.intelligence = intelligence
        self.public_url = public_url
        self.administrators = administrators
        self.catalog = organizations.catalog
        self.tokens = tokens
        self._open = partial(organizations.open, is_made=True)
        self._organizations: Lru[str, Organization] = Lru(max_items=CAPACITY)
        self._registries: Lru[str, WSGIApplication] = Lru(max_items=CAPACITY)
        self._firewalls: Lru[str, Firewall] = Lru(max_items=CAPACITY)
        self._views = Views()
        self._app = stack(*self._outer(users, dashboard), on=no_registry)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app(environ, start_response)

    def registry_of(self, org: str) -> WSGIApplication | None:
        """The stack of the organization *org* below ErrorResponses; None when there is no such organization."""
        if org != self.resolve.fixed_org and not self.organizations.exists(org):
            return None
        return self._registries.get(org) or self._registries.setdefault(org, self._built(org))

    def organization(self, org: str) -> Organization:
        """Returns the parts of the organization *org*, which is known to exist."""
        return self._organizations.get(org) or self._organizations.setdefault(org, self._open(org))

    def firewall(self, org: str) -> Firewall | None:
        """Returns the security rules of the organization *org* over the upstream; None when there is no upstream."""
        if self.gateway is None:
            return None
        found = self._firewalls.get(org)
        if found is None:
            made = self.gateway.firewall(self.organization(org), self.public_url_of(org))
            found = self._firewalls.setdefault(org, made)
        return found

    def public_url_of(self, org: str) -> str | None:
        """Where clients reach the registry of *org*, or None when that follows the request."""
        return self.resolve.public_url(self.public_url, org) if self.public_url is not None else None

    def registry_url(self, environ: WSGIEnvironment, org: str) -> str:
        """Returns where clients reach the registry of *org*, as a page shows it that was asked for with *environ*."""
        return self.resolve.public_url(base_url(environ, self.public_url), org)

    def _outer(self, users: Authenticator | None, dashboard: Callable[..., WSGIApplication] | None) -> Iterator[Layer]:
        domain = self.resolve.management_domain
        if domain is not None:
            check_domain(domain)
        yield Repeat
        yield ErrorResponses
        if dashboard is not None:
            yield partial(
                dashboard,
                organizations=self.organizations,
                tenant=self.organization,
                registry_url=self.registry_url,
                firewall_of=self.firewall,
                resolve=self.resolve,
                public_url=self.public_url,
                domain=domain,
            )
        if users is not None:
            yield partial(LateLayer, concerns=_may_manage, make=partial(self._management, users, domain))
        yield partial(TenantRouter, resolve=self.resolve, registry_of=self.registry_of)

    def _management(self, users: Authenticator, domain: str | None) -> Layer:
        # Imported at its first request: what it needs beside the registry is a tenth of what a start would import.
        from nproxy_mw.middleware.management import Management

        return partial(
            Management,
            organizations=self.organizations,
            tenant=self.organization,
            users=users,
            domain=domain,
            firewall_of=self.firewall,
            catalog=self.catalog,
        )

    def _built(self, org: str) -> WSGIApplication:
        organization, public_url = self.organization(org), self.public_url_of(org)
        # ErrorResponses stands above all organizations already.
        own = layers(
            organization,
            self.gateway,
            firewall=self.firewall(org),
            intelligence=self.intelligence,
            tokens=self.tokens(org) if self.tokens else None,
            public_url=public_url,
            views=self._views,
        ).without("error_responses")
        if self.tokens is None:
            own = own.below("scope_router", own_tokens=partial(OwnTokens, tokens=organization.tokens))
        if self.administrators is not None:
            login = partial(
                Login,
                org=org,
                storage=organization.storage,
                tokens=organization.tokens,
                administrators=self.administrators,
                public_url=public_url,
            )
            own = own.above("authenticate", login=login)
        return stack(*own, on=partial(front_page, public_url=public_url))


def platform(
    url: str,
    *,
    resolve: Resolve,
    upstream: str | Transport | None = None,
    upstream_token: str | None = None,
    allowed_origins: Iterable[str] = (),
    ca_file: str | None = None,
    cache: str | None = None,
    intelligence: Intelligence | None = None,
    osv_api: str | None = None,
    public_url: str | None = None,
    users: Authenticator | None = None,
    administrators: Administrators | None = None,
    tokens: Callable[[str], Tokens] | None = None,
    dashboard: Callable[..., WSGIApplication] | None = None,
    freshness: float = 1.0,
    seal: Seal | None = None,
    catalog: Catalog = SHIPPED,
) -> Platform:
    """Returns the organizations on the storage at *url*, inside a host application whose own *users* manage them.

    The storage is tried at once, and a fixed organization is created when it does not exist. *upstream_token*,
    *allowed_origins*, *ca_file*, *cache*, *intelligence* and *osv_api* are as for `nproxy_mw.stack.registry`.
    *freshness*, *seal* and *catalog* are those of `Organizations.at`, the rest those of `Platform`.

    Raises:
        TypeError: *url*, *resolve*, *users* or another argument is of a wrong type.
        ValueError: *url*, *upstream* or an option of it is not of a kind that is supported; or the storage lets writers
            overwrite each other; or ``NPROXY_SEAL_KEY`` is not a key.
        OSError: *ca_file* cannot be read.
        StorageUnavailable: the storage cannot be read; or it cannot be written to, and the fixed organization does not
            exist.
    """
    _check(resolve, users=users, tokens=tokens, dashboard=dashboard)
    transport = transport_to(upstream, token=upstream_token, allowed_origins=allowed_origins, ca_file=ca_file)
    kept_at = cache or default_cache(url)
    known = known_by(intelligence, osv_api)
    gateway = gateway_to(transport, kept_at, intelligence=known, catalog=catalog) if transport else None
    organizations = Organizations.at(url, freshness=freshness, seal=seal, catalog=catalog)
    if resolve.fixed_org is not None:
        organizations.ensure(resolve.fixed_org, actor=DEPLOYMENT)
    else:
        organizations.probe()
    return Platform(
        organizations,
        resolve=resolve,
        upstream=gateway,
        intelligence=known,
        public_url=public_url,
        users=users,
        administrators=administrators,
        tokens=tokens,
        dashboard=dashboard,
    )


def _check(resolve: object, **called: object) -> None:
    if isinstance(resolve, type) or not callable(resolve) or not hasattr(resolve, "fixed_org"):
        raise TypeError("resolve= tells whose registry a request is for: FixedOrg('acme'), ByHost(domain) or ByPath().")
    for name, one in called.items():
        if one is not None and not callable(one):
            raise TypeError(f"{name}= is called: give a function, not {type(one).__name__}.")


def _may_manage(environ: WSGIEnvironment) -> bool:
    return bool(environ.get("PATH_INFO", "").startswith(MANAGEMENT))


def _gateway(upstream: str | Transport | Gateway | None, catalog: Catalog) -> Gateway | None:
    if upstream is None or isinstance(upstream, Gateway):
        return upstream
    transport = transport_to(upstream)
    return gateway_to(transport, None, catalog=catalog) if transport else None


def no_registry(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers at the platform's own address, outside the management API, as for an organization that does not exist."""
    raise NotFound("There is no registry at this address.", code="registry-not-found")
