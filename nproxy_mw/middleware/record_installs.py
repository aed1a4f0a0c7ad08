"""RecordInstalls: counts which version of which package was fetched, by which token and address.

It stands inside ScopeRouter, so it knows what the request means, and outside everything that serves packages, so that
internal and upstream tarballs are counted alike. Only a tarball that is really handed out counts: no refusal, no 304,
no HEAD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nproxy_mw.grounds import each_time
from nproxy_mw.http.context import CONTEXT, PRINCIPAL, ROUTE, Context
from nproxy_mw.ledger.recorder import Ledger
from nproxy_mw.npm.routes import Kind

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_HANDED_OUT = ("200", "206")


class RecordInstalls:
    """Notes every tarball that *app* hands out in *ledger*."""

    def __init__(self, app: WSGIApplication, *, ledger: Ledger) -> None:
        self.app = app
        self.ledger = ledger

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = environ.get(CONTEXT) or Context()
        route = context.route or ROUTE.require(environ, by="RecordInstalls")
        if route.kind is not Kind.TARBALL or environ["REQUEST_METHOD"] != "GET":
            return self.app(environ, start_response)
        token = (context.principal or PRINCIPAL.require(environ, by="RecordInstalls")).token_id

        def record(environ: WSGIEnvironment) -> None:
            version = route.package.version_in(route.filename)
            self.ledger.record(str(route.name), version, token, environ.get("REMOTE_ADDR", ""))

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            if status.startswith(_HANDED_OUT):
                record(environ)
                each_time(record)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self.app(environ, start)
