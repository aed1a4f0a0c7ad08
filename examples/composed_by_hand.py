"""The standard layers put together by hand, with one of the host's own between them.

``gunicorn examples.composed_by_hand:application``. A layer is a class with ``__init__(self, app, ...)`` and
``__call__(self, environ, start_response)``: mine? answer; else hand on. There is no base class.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from nproxy_mw import (
    Authenticate,
    ErrorResponses,
    Forwarder,
    InternalStore,
    NoUpstream,
    ScopeRouter,
    Urllib3Transport,
    organization_at,
    stack,
)
from nproxy_mw.access import Actor
from nproxy_mw.errors import Forbidden
from nproxy_mw.http.context import DESTINATION, Destination
from nproxy_mw.stack import front_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class FrozenForTheHolidays:
    """Refuses every change of an internal package; installs go on."""

    def __init__(self, app: WSGIApplication, *, is_frozen: bool) -> None:
        self.app = app
        self.is_frozen = is_frozen

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_internal = DESTINATION.require(environ, by="FrozenForTheHolidays") is Destination.INTERNAL
        if self.is_frozen and is_internal and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise Forbidden("Nothing is published over the holidays: come back in January.")
        return self.app(environ, start_response)


acme = organization_at(os.environ.get("NPROXY_STORAGE", "nproxy-data"))
acme.settings.ensure_scopes(["@acme"], actor=Actor(name="examples"))
upstream = os.environ.get("NPROXY_UPSTREAM")


application = stack(
    ErrorResponses,
    partial(Authenticate, tokens=acme.tokens),
    partial(ScopeRouter, settings=acme.settings.get),
    partial(FrozenForTheHolidays, is_frozen=bool(os.environ.get("HOLIDAYS"))),
    partial(InternalStore, packages=acme.packages),
    partial(Forwarder, transport=Urllib3Transport(upstream)) if upstream else NoUpstream,
    on=front_page,
)
