"""TenantRouter: whose registry is it?

Leaves the organization's id as `ORG` and hands the request to that organization's own stack. Who is asked is told by
one of three ways, all of them values::

    FixedOrg("acme")            always the same one: a server for one organization
    ByHost("registry.example")  the first label: acme.registry.example is acme's, registry.example the platform's own
    ByPath()                    the first segment: /acme/... is acme's, / the platform's own

What is the platform's own goes to *app*. A request for an organization that is not there, or whose name could be none,
is a 404 that says nothing of which it was.

By path, npm asks some things by a path from the host's root, which loses the prefix. None of them is served there: the
attestations of a package are found all the same, since the URL in its packument is rewritten to one below the prefix,
and the exchange of an OIDC token is offered nowhere. Without the prefix nobody could tell whose request it is; asking
the upstream could name one organization's packages there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nproxy_mw.errors import NotFound
from nproxy_mw.http.context import context_of
from nproxy_mw.http.sites import check_domain, host_name

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Resolve(Protocol):
    """How a request tells whose registry it is for."""

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        """The organization as the request spells it, and the request as its stack is to see it; None when it is for
        the platform itself. What is answered may be no organization's id at all.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedOrg:
    """Every request is for *org*."""

    org: str

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment]:
        return self.org, environ


@dataclass(frozen=True, slots=True)
class ByHost:
    """``acme.<domain>`` is for acme, whatever the port; *domain* alone is the platform's own.

    Raises:
        ValueError: *domain* is not a domain's name.
    """

    domain: str

    def __post_init__(self) -> None:
        check_domain(self.domain)

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        host = host_name(environ)
        if host == self.domain:
            return None
        org, _, domain = host.partition(".")
        return (org if domain == self.domain else ""), environ


@dataclass(frozen=True, slots=True)
class ByPath:
    """``/acme/...`` is for acme; the root alone is the platform's own."""

    def __call__(self, environ: WSGIEnvironment) -> tuple[str, WSGIEnvironment] | None:
        path: str = environ.get("PATH_INFO", "")
        if path in ("", "/"):
            return None
        org, slash, rest = path.removeprefix("/").partition("/")
        script_name = f"{environ.get('SCRIPT_NAME', '')}/{org}"
        return org, {**environ, "SCRIPT_NAME": script_name, "PATH_INFO": slash + rest}


class TenantRouter:
    """Hands each request to the stack that *registry_of* answers for its organization; None when there is none.

    *resolve* tells whose it is; what is nobody's goes to *app*.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        resolve: Resolve,
        registry_of: Callable[[str], WSGIApplication | None],
    ) -> None:
        self.app = app
        self.resolve = resolve
        self.registry_of = registry_of

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = self.resolve(environ)
        if found is None:
            return self.app(environ, start_response)
        org, inner = found
        registry = self.registry_of(org)
        if registry is None:
            raise NotFound("There is no registry at this address.", code="registry-not-found")
        context_of(environ, by="TenantRouter").org = org
        return registry(inner, start_response)
