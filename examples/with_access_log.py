"""A layer of the host's own outside the whole registry: it writes who asked for what, and what became of it.

``gunicorn examples.with_access_log:application``. The layers inside fill in the context that this one opens.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nproxy_mw import registry
from nproxy_mw.http.context import opened

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("registry.access")


class AccessLog:
    """Logs each answer as it begins."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ, context = opened(environ)

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            who = (context.principal and context.principal.name) or "-"
            package = context.route.name if context.route else "-"
            where = context.destination.value if context.destination else "-"
            log.info("%s %s %s %s %s", context.request_id, who, package, where, status)
            return start_response(status, headers, *exc_info)

        return self.app(environ, start)


application = AccessLog(
    registry(
        os.environ.get("NPROXY_STORAGE", "nproxy-data"),
        internal_scopes=["@acme"],
        upstream=os.environ.get("NPROXY_UPSTREAM"),  # None: internal packages only
    )
)
