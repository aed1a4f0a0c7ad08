"""ScopeRouter: parses the path once, and decides whose package it is.

This is the wall against dependency confusion. A name under an internal scope is marked internal, by exact,
case-sensitive comparison of the whole scope, and no layer below may name it to the upstream. A path that the parser
does not understand is refused before anything else happens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from nproxy_mw.access import Grant, require
from nproxy_mw.errors import BadRequest
from nproxy_mw.grounds import Witness, vouch
from nproxy_mw.http.context import CONTEXT, PRINCIPAL, Context, Destination, RoutingSettings
from nproxy_mw.http.messages import is_read
from nproxy_mw.npm.routes import Kind, Route, parse_route
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.token_format import holds_secret

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class ScopeRouter:
    """Fills in the route, its destination, and the settings, which *settings* returns as they are now.

    They are asked for here, once per request, so that all layers below judge by the same ones.

    Raises:
        TypeError: *settings* cannot be called.
    """

    def __init__(self, app: WSGIApplication, *, settings: Callable[[], RoutingSettings]) -> None:
        if not callable(settings):
            raise TypeError("settings= is called at each request: give organization.settings.get, not its result.")
        self.app = app
        self.settings = settings
        # A host's own may go by more than what is stored.
        self._notes_grounds = getattr(settings, "__func__", None) is SettingsStore.get

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = environ.get(CONTEXT) or Context()
        principal = context.principal or PRINCIPAL.require(environ, by="ScopeRouter")
        context.route = route = parse_route(environ.get("PATH_INFO", ""))
        context.settings = settings = self.settings()
        if self._notes_grounds:
            vouch(Witness.SETTINGS)
        context.destination = destination = _destination(route, settings.internal_scopes)
        if destination is Destination.UPSTREAM and _holds_secret(environ["PATH_INFO"]):
            raise BadRequest(
                "An API token of this registry is in the path, where a name or a version belongs: it is not sent on. "
                "Put it into .npmrc, and revoke it if others can read where you typed it.",
                code="token-in-path",
            )
        reads_upstream = destination is Destination.UPSTREAM and is_read(environ)
        if (reads_upstream or route.kind in _AUDITS) and not settings.public_reads:
            require(principal, Grant.PROXY)
        return self.app(environ, start_response)


_AUDITS = frozenset({Kind.ADVISORIES, Kind.AUDIT})
"""They ask the upstream about packages, as reads do."""


_holds_secret = lru_cache(maxsize=4096)(holds_secret)
"""The paths that an install asks for come again, as they do in `parse_route`."""


def _destination(route: Route, internal_scopes: Collection[str]) -> Destination:
    if route.name is None:
        return Destination.REGISTRY
    return Destination.INTERNAL if route.name.scope in internal_scopes else Destination.UPSTREAM
