"""Private npm packages and the public registry behind one URL: a stack of WSGI middlewares.

`registry` is the whole of it in one call; `stack` puts the layers together by hand (see `nproxy_mw.stack`).
"""

import logging
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nproxy_mw.access import Grant, Principal
    from nproxy_mw.errors import MissingLayer, NproxyError
    from nproxy_mw.middleware.authenticate import Authenticate
    from nproxy_mw.middleware.error_responses import ErrorResponses
    from nproxy_mw.middleware.forwarder import Forwarder
    from nproxy_mw.middleware.internal_store import InternalStore
    from nproxy_mw.middleware.mount import Mount
    from nproxy_mw.middleware.no_upstream import NoUpstream
    from nproxy_mw.middleware.scope_router import ScopeRouter
    from nproxy_mw.orgs.organization import Organization, organization_at
    from nproxy_mw.orgs.tokens import StaticTokens
    from nproxy_mw.stack import layers, registry, stack
    from nproxy_mw.upstream.transport import Urllib3Transport

__version__ = "0.1.0"

__all__ = [
    "Authenticate",
    "ErrorResponses",
    "Forwarder",
    "Grant",
    "InternalStore",
    "MissingLayer",
    "Mount",
    "NoUpstream",
    "NproxyError",
    "Organization",
    "Principal",
    "ScopeRouter",
    "StaticTokens",
    "Urllib3Transport",
    "layers",
    "organization_at",
    "registry",
    "stack",
]

# Where each name is. It is imported when it is first asked for: all of them together load some 650 modules.
_MODULES = {
    "Authenticate": "middleware.authenticate",
    "ErrorResponses": "middleware.error_responses",
    "Forwarder": "middleware.forwarder",
    "Grant": "access",
    "InternalStore": "middleware.internal_store",
    "MissingLayer": "errors",
    "Mount": "middleware.mount",
    "NoUpstream": "middleware.no_upstream",
    "NproxyError": "errors",
    "Organization": "orgs.organization",
    "Principal": "access",
    "ScopeRouter": "middleware.scope_router",
    "StaticTokens": "orgs.tokens",
    "Urllib3Transport": "upstream.transport",
    "layers": "stack",
    "organization_at": "orgs.organization",
    "registry": "stack",
    "stack": "stack",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


class _FrontDoor(ModuleType):
    """This module. `stack` is a function here and a module below: importing the module must not hide the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value.stack if name == "stack" and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _FrontDoor

if not TYPE_CHECKING:  # a type checker would believe that there is every name

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        thing = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = thing
        return thing

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
