"""TenantRouter: whose registry is it?

Fills in the organization's id as `ORG` and hands the request to that organization's own stack. A value tells whose a
request is; there are three kinds::

    FixedOrg("acme")            always the same one: a server for one organization
    ByHost("registry.example")  the first label: acme.registry.example is acme's, registry.example the platform's own
    ByPath()                    the first segment: /acme/... is acme's, / the platform's own

What is the platform's own goes to *app*. A request for an organization that does not exist, or under a name that no
organization can have, is a 404 that does not say which of the two it was.

By path, npm asks some things by a path from the host's root, which loses the prefix. None of them is served there: the
attestations of a package are found all the same, since the URL in its packument is rewritten to one below the prefix,
and the exchange of an OIDC token is offered nowhere. Without the prefix nobody could tell whose request it is; asking
the upstream could name one organization's packages there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from nproxy_mw.errors import NotFound
from nproxy_mw.grounds import rest_on
from nproxy_mw.http.context import context_of
from nproxy_mw.http.sites import check_domain, host_name

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Resolve(Protocol):
    """How a request tells whose registry it is for, and where the registries of a platform are."""

    @property
    def fixed_org(self) -> str | None:
        """The organization that every request is for; None where requests differ."""
        ...

    @property
    def management_domain(self) -> str | None:
        """The host that alone serves the management API; None where every host does."""
        ...

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        """Returns the organization as the request spells it, and the request as its stack is to see it.

        None means that the request is for the platform itself. The organization may be no organization's id at all.
        """
        ...

    def public_url(self, base: str, org: str) -> str:
        """Returns where clients reach the registry of *org*, given where they reach the platform; no trailing slash."""
        ...

    def describe(self, base: str) -> str:
        """Returns where the registries are, with ``ID`` in the place of an organization's id, for people to read."""
        ...


class FixedOrg(Struct, frozen=True):
    """Every request is for *org*."""

    org: str

    @property
    def fixed_org(self) -> str:
        """Returns *org*."""
        return self.org

    @property
    def management_domain(self) -> None:
        """Every host serves the management API."""
        return

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment]:
        return self.org, environ

    def public_url(self, base: str, org: str) -> str:
        """Returns *base*: the organization has the whole platform."""
        return base

    def describe(self, base: str) -> str:
        """Returns *base*."""
        return f"{base}/"


class ByHost(Struct, frozen=True):
    """``acme.<domain>`` is for acme, whatever the port; *domain* alone is the platform's own.

    Raises:
        ValueError: *domain* is not a domain's name.
    """

    domain: str

    def __post_init__(self) -> None:
        check_domain(self.domain)

    @property
    def fixed_org(self) -> None:
        """Requests differ by their host."""
        return

    @property
    def management_domain(self) -> str:
        """Returns *domain*: below it, the paths belong to the organizations."""
        return self.domain

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        host = host_name(environ)
        if host == self.domain:
            return None
        org, _, domain = host.partition(".")
        return (org if domain == self.domain else ""), environ

    def public_url(self, base: str, org: str) -> str:
        """Returns *base* with the organization's host in the place of its own."""
        url = urlsplit(base)
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{org}.{self.domain}{port}{url.path}"

    def describe(self, base: str) -> str:
        """Returns the pattern of the hosts; the scheme is that of a proxy in front, which nobody here knows."""
        return f"http(s)://ID.{self.domain}/"


class ByPath(Struct, frozen=True):
    """``/acme/...`` is for acme; the root alone is the platform's own."""

    @property
    def fixed_org(self) -> None:
        """Requests differ by their path."""
        return

    @property
    def management_domain(self) -> None:
        """Every host serves the management API."""
        return

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        path: str = environ.get("PATH_INFO", "")
        if path in ("", "/"):
            return None
        org, slash, rest = path.removeprefix("/").partition("/")
        script_name = f"{environ.get('SCRIPT_NAME', '')}/{org}"
        return org, {**environ, "SCRIPT_NAME": script_name, "PATH_INFO": slash + rest}

    def public_url(self, base: str, org: str) -> str:
        """Returns *base* with the organization's segment."""
        return f"{base.rstrip('/')}/{org}"

    def describe(self, base: str) -> str:
        """Returns the pattern of the paths."""
        return f"{base}/ID/"


_SHIPPED = (FixedOrg, ByHost, ByPath)
"""Those that go by nothing but what `nproxy_mw.middleware.repeat` compares."""


class TenantRouter:
    """Hands each request to the stack that *registry_of* returns for its organization; None where there is none.

    *resolve* tells whose it is (see `Resolve`); what is the platform's own goes to *app*.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        resolve: Callable[[WSGIEnvironment], tuple[str, WSGIEnvironment] | None],
        registry_of: Callable[[str], WSGIApplication | None],
    ) -> None:
        self.app = app
        self.resolve = resolve
        self.registry_of = registry_of
        self._notes_grounds = type(resolve) in _SHIPPED  # a host's own may go by anything

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not self._notes_grounds:
            rest_on(None)
        found = self.resolve(environ)
        if found is None:
            return self.app(environ, start_response)
        org, inner = found
        registry = self.registry_of(org)
        if registry is None:
            raise NotFound("There is no registry at this address.", code="registry-not-found")
        context_of(environ, by="TenantRouter").org = org
        return registry(inner, start_response)
