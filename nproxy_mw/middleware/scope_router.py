"""ScopeRouter: parses the path once, and decides whose package it is.

The wall against dependency confusion: a name under an internal scope is marked internal here, by exact, case-sensitive
comparison of the whole scope, and no layer below may name it to the upstream. Everything the path parser does not
understand is refused before anything else happens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Protocol

from nproxy_mw.access import Grant, require
from nproxy_mw.http import messages
from nproxy_mw.http.context import DESTINATION, PRINCIPAL, ROUTE, Destination
from nproxy_mw.npm.routes import Route, parse_route

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class RoutingSettings(Protocol):
    """What this layer needs to know of an organization's settings."""

    @property
    def internal_scopes(self) -> Collection[str]:
        """The scopes whose packages are the organization's own, each with its ``@``."""
        ...

    @property
    def public_reads(self) -> bool:
        """Whether upstream packages may be read without a token."""
        ...


class SettingsSource(Protocol):
    """Where an organization's settings are asked for, at each request: a change holds at once."""

    def get(self) -> RoutingSettings:
        """The settings as they are now."""
        ...


class ScopeRouter:
    """Leaves the parsed route and its destination for the layers below."""

    def __init__(self, app: WSGIApplication, *, settings: SettingsSource) -> None:
        self.app = app
        self.settings = settings

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        principal = PRINCIPAL.require(environ, by="ScopeRouter")
        route = parse_route(environ.get("PATH_INFO", ""))
        settings = self.settings.get()
        destination = _destination(route, settings.internal_scopes)
        is_upstream_read = destination is Destination.UPSTREAM and messages.method(environ) == "GET"
        if is_upstream_read and not settings.public_reads:
            require(principal, Grant.PROXY)
        return self.app(DESTINATION.leave(ROUTE.leave(environ, route), destination), start_response)


def _destination(route: Route, internal_scopes: Collection[str]) -> Destination:
    if route.name is None:
        return Destination.REGISTRY
    return Destination.INTERNAL if route.name.scope in internal_scopes else Destination.UPSTREAM
