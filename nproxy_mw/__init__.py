"""Private npm packages and the public registry behind one URL: a stack of WSGI middlewares.

`registry` is the whole of it in one call; `stack` puts the layers together by hand (see `nproxy_mw.stack`).
"""

import logging

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

logging.getLogger(__name__).addHandler(logging.NullHandler())
