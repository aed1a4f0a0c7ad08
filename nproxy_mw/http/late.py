"""LateLayer: a layer that is imported and made when it is first needed, so that the registry answers sooner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from nproxy_mw.http.layering import Layer


class LateLayer:
    """What *make* returns, a layer with its module imported, over *app*: made at the first request that it *concerns*.

    Requests that cannot be for that layer go to *app* at once. *make* raises nothing: what can be wrong with the
    layer's options was looked at before.
    """

    def __init__(
        self, app: WSGIApplication, *, concerns: Callable[[WSGIEnvironment], bool], make: Callable[[], Layer]
    ) -> None:
        self.app = app
        self.concerns = concerns
        self._make = make
        self._guard = Lock()
        self._layer: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app = self._made() if self.concerns(environ) else self.app
        return app(environ, start_response)

    def _made(self) -> WSGIApplication:
        with self._guard:
            if self._layer is None:
                self._layer = self._make()(self.app)
        return self._layer
