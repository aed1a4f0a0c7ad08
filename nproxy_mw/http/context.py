"""Context: what becomes known of one request, for the layers below and, after the call, for those above.

One `Context` travels in the environ of each request, under one key. Layers fill it on the way down; an outer layer
keeps it and reads it when the answer begins. A layer of a host that stands outside the registry puts one in first::

    class AccessLog:
        def __init__(self, app):
            self.app = app

        def __call__(self, environ, start_response):
            environ, context = opened(environ)

            def start(status, headers, exc_info=None):
                print(status, context.request_id, context.principal, context.route, context.destination)
                return start_response(status, headers, exc_info)

            return self.app(environ, start)

A layer that needs what another one fills in asks with `Key.require`, so that a stack in the wrong order fails loudly at
the first request instead of leaving a door open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from msgspec import Struct

from nproxy_mw.access import Actor, Principal
from nproxy_mw.errors import MissingLayer
from nproxy_mw.npm.routes import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

T = TypeVar("T")

CONTEXT = "nproxy.context"
"""The key of the environ under which the `Context` travels."""

_USER_AGENT = 256  # characters of it that the audit trail keeps
_ADDRESS = 64


class Destination(Enum):
    """Whose the request is."""

    INTERNAL = "internal"
    """A package under an internal scope: answered from the organization's storage, never named to the upstream."""
    UPSTREAM = "upstream"
    """A package of the upstream registry."""
    REGISTRY = "registry"
    """The registry itself: ping, whoami, keys, search, audits."""


class RoutingSettings(Protocol):
    """The settings of an organization that its layers need. ScopeRouter asks for them, once per request."""

    @property
    def internal_scopes(self) -> Collection[str]:
        """The scopes whose packages are the organization's own, each with its ``@``."""
        ...

    @property
    def public_reads(self) -> bool:
        """Whether upstream packages may be read without a token."""
        ...

    @property
    def slim_packuments(self) -> bool:
        """Whether npm's installer gets packuments without what it does not read."""
        ...

    @property
    def rate_limit(self) -> Mapping[str, int] | None:
        """``requestsPerMinute`` and ``publishesPerMinute`` of one caller, each perhaps absent; None is no limit."""
        ...

    @property
    def audit_without_advisories(self) -> str:
        """What an audit gets where nobody has advisories: ``empty`` or ``not-found``."""
        ...

    @property
    def version_unpublish(self) -> bool:
        """Whether single versions of internal packages can be unpublished."""
        ...


class Context(Struct):
    """What is known of one request. A field is None while the layer that fills it has not been reached."""

    request_id: str | None = None  # ErrorResponses
    org: str | None = None  # TenantRouter: as the request spells it
    principal: Principal | None = None  # Authenticate; Management and Login: a name without grants
    route: Route | None = None  # ScopeRouter
    destination: Destination | None = None  # ScopeRouter
    settings: RoutingSettings | None = None  # ScopeRouter
    verdicts: Sequence[tuple[str, str]] = ()  # ("block" or "warn", rule) of each rule that flagged something
    versions_blocked: int = 0  # of the package that is asked for, or of the one version
    versions_warned: int = 0
    upstream_seconds: float | None = None  # spent waiting for the upstream, until its answer began
    cache: str | None = None  # where a cache was asked: a count of `nproxy_mw.upstream.cached.Cached`, such as "hit"

    def learn(self, other: Context) -> None:
        """Takes over what became known of *other*, the context of an equal request whose answer is given again."""
        self.org, self.principal = other.org, other.principal
        self.route, self.destination = other.route, other.destination
        self.settings, self.verdicts = other.settings, other.verdicts
        self.cache = None if other.cache is None else "hit"
        self.versions_blocked, self.versions_warned = other.versions_blocked, other.versions_warned


CURRENT: ContextVar[Context | None] = ContextVar("nproxy-context", default=None)
"""The context of the request that Forwarder is answering, for the components below it, which see no environ."""


class Key(Struct, Generic[T], frozen=True):
    """A field of the `Context`, and the layer that fills it."""

    field: str
    layer: str

    def find(self, environ: WSGIEnvironment) -> T | None:
        """Returns the value, or None when no layer filled it in."""
        return cast("T | None", getattr(environ.get(CONTEXT), self.field, None))

    def require(self, environ: WSGIEnvironment, by: str) -> T:
        """Returns the value.

        Raises:
            MissingLayer: the layer that fills it in does not stand above *by*.
        """
        value = self.find(environ)
        if value is None:
            raise self.missing(by)
        return value

    def missing(self, by: str) -> MissingLayer:
        """Returns the error for the layer *by*, which found no value. It names the layer that is missing above it."""
        return MissingLayer(f"{by} found no {self.field}: put {self.layer} outside {by} (see nproxy_mw/stack.py).")


REQUEST_ID: Key[str] = Key("request_id", "ErrorResponses")
ORG: Key[str] = Key("org", "TenantRouter")
PRINCIPAL: Key[Principal] = Key("principal", "Authenticate")
ROUTE: Key[Route] = Key("route", "ScopeRouter")
DESTINATION: Key[Destination] = Key("destination", "ScopeRouter")
SETTINGS: Key[RoutingSettings] = Key("settings", "ScopeRouter")


def opened(environ: WSGIEnvironment) -> tuple[WSGIEnvironment, Context]:
    """Returns a copy of *environ* that carries a context, and that context: the one of *environ* if it has one.

    The environ of the host stays as it is.
    """
    context = environ.get(CONTEXT)
    if context is None:
        context = Context()
    return {**environ, CONTEXT: context}, context


def context_of(environ: WSGIEnvironment, by: str) -> Context:
    """Returns the context of a request.

    Raises:
        MissingLayer: ErrorResponses does not stand above *by*.
    """
    context: Context | None = environ.get(CONTEXT)
    if context is None or context.request_id is None:
        raise REQUEST_ID.missing(by)
    return context


def actor_of(context: Context, environ: WSGIEnvironment) -> Actor:
    """Returns who sent a request and from where, for the audit trail: bounded, and without unprintable characters."""
    principal = context.principal
    return Actor(
        token_hash=principal.token_hash if principal else "",
        name=principal.name if principal else "",
        request_id=context.request_id or "",
        ip=_printable(environ.get("REMOTE_ADDR", ""), _ADDRESS),
        user_agent=_printable(environ.get("HTTP_USER_AGENT", ""), _USER_AGENT),
    )


def _printable(text: str, length: int) -> str:
    text = text[:length]
    return text if text.isprintable() else "".join(filter(str.isprintable, text))
