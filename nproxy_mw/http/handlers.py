"""What a layer hands to the function that answers, and how it finds that function by the request's method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from nproxy_mw.access import Principal
from nproxy_mw.errors import MethodNotAllowed
from nproxy_mw.http.context import (
    CONTEXT,
    DESTINATION,
    PRINCIPAL,
    ROUTE,
    SETTINGS,
    Context,
    Destination,
    RoutingSettings,
)
from nproxy_mw.http.messages import Response
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

T = TypeVar("T")

_LISTED = 10  # scopes that a sentence names
_NOT_OFFERED = "That method is not offered under this path."


class Request(NamedTuple):
    """One request below ScopeRouter: its environ, and what the layers above found out about it."""

    environ: WSGIEnvironment
    context: Context
    route: Route
    destination: Destination
    settings: RoutingSettings
    principal: Principal

    @property
    def method(self) -> str:
        """The request's method, in capitals."""
        return str(self.environ["REQUEST_METHOD"])

    def is_internal(self, name: Name) -> bool:
        """Returns whether *name* is the organization's own, and must not be named to the upstream."""
        return name.scope in self.settings.internal_scopes

    def scopes_in_words(self) -> str:
        """Returns which scopes are internal, for the end of a sentence about a name that is not under one."""
        scopes = sorted(self.settings.internal_scopes)
        if not scopes:
            return "this organization has no internal scopes yet"
        more = f" and {len(scopes) - _LISTED} more" if len(scopes) > _LISTED else ""
        return f"the internal scopes of this organization are {', '.join(scopes[:_LISTED])}{more}"


Handler: TypeAlias = Callable[[Request], Response]
"""Answers one kind of request."""


def routed(environ: WSGIEnvironment, by: str) -> Request:
    """Returns the request for the layer *by*.

    Raises:
        MissingLayer: Authenticate or ScopeRouter does not stand above it.
    """
    context = environ.get(CONTEXT) or Context()
    return Request(
        environ,
        context,
        context.route or ROUTE.require(environ, by),
        context.destination or DESTINATION.require(environ, by),
        context.settings or SETTINGS.require(environ, by),
        context.principal or PRINCIPAL.require(environ, by),
    )


class VerbTable(Generic[T]):
    """The handlers of one path, by method. HEAD is answered by the handler of GET, and `send` leaves the body out.

    *refusal* is the sentence for any other method. If *head* is False, HEAD is refused: a GET that can be answered only
    once must not be spent on it.
    """

    def __init__(self, handlers: Mapping[str, T], *, refusal: str = _NOT_OFFERED, head: bool = True) -> None:
        self._refusal = refusal
        self._handlers: dict[str, T] = {}
        for method, handler in handlers.items():
            self._handlers[method] = handler
            if method == "GET" and head:
                self._handlers["HEAD"] = handler

    def find(self, environ: WSGIEnvironment) -> T:
        """Returns the handler of the request's method.

        Raises:
            MethodNotAllowed: there is none; the error names the methods that have one.
        """
        handler = self._handlers.get(environ["REQUEST_METHOD"])
        if handler is None:
            raise MethodNotAllowed(self._refusal, allow=tuple(self._handlers))
        return handler
