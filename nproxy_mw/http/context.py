"""Typed keys: what one layer leaves in the WSGI environ for the layers below it.

Layers do not know each other; they know these keys. A layer that needs a key asks with `Key.require`, so that a stack
in the wrong order fails loudly at the first request instead of leaving a door open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from nproxy_mw.access import Principal
from nproxy_mw.errors import MissingLayer
from nproxy_mw.npm.routes import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """A place in the environ, and the layer that fills it."""

    name: str
    layer: str

    def leave(self, environ: WSGIEnvironment, value: T) -> WSGIEnvironment:
        """Answers a copy of *environ* that carries *value*: a host's own environ is never written to."""
        return {**environ, self.name: value}

    def find(self, environ: WSGIEnvironment) -> T | None:
        """The value, or None when no layer left one."""
        return cast("T | None", environ.get(self.name))

    def require(self, environ: WSGIEnvironment, by: str) -> T:
        """The value.

        Raises:
            MissingLayer: the layer that leaves it does not stand above *by*.
        """
        if self.name not in environ:
            raise MissingLayer(f"{by} found no {self.name}: put {self.layer} outside {by} (see nproxy_mw/stack.py).")
        return cast("T", environ[self.name])


class Destination(Enum):
    """Whose the request is."""

    INTERNAL = "internal"
    """A package under an internal scope: answered from the organization's storage, never named to the upstream."""
    UPSTREAM = "upstream"
    """A package of the upstream registry."""
    REGISTRY = "registry"
    """The registry itself: ping, whoami, keys, search, audits."""


REQUEST_ID: Key[str] = Key("nproxy.request_id", "ErrorResponses")
ORG: Key[str] = Key("nproxy.org", "TenantRouter")
PRINCIPAL: Key[Principal] = Key("nproxy.principal", "Authenticate")
ROUTE: Key[Route] = Key("nproxy.route", "ScopeRouter")
DESTINATION: Key[Destination] = Key("nproxy.destination", "ScopeRouter")
