"""The public keys of both worlds in one list: the organization's own, and those of the upstream.

npm looks keys up by registry, and this registry serves both: ``npm audit signatures`` stops at the first version whose
key is not listed. So an upstream that cannot be asked must not look like one without keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from nproxy_mw.errors import NotFound, ServerError
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import PRIVATE, Response, ask, json_response
from nproxy_mw.json_values import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

UPSTREAM_SECONDS = 600.0
"""How long the upstream's keys are taken as they were. They change once in years."""


class Keys:
    """Answers ``/-/npm/v1/keys``: *own* keys and those that *below*, the layers towards the upstream, answer."""

    def __init__(
        self,
        own: Callable[[], Sequence[Json]],
        below: WSGIApplication,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.own = own
        self.below = below
        self.monotonic = monotonic
        self._upstream: Sequence[Json] | None = None
        self._asked_at = 0.0

    def keys(self, request: Request) -> Response:
        """The merged list; 404, which npm takes for "nothing is signed here", when it is empty."""
        keys = [*self.own(), *self._of_upstream(request.environ)]
        if not keys:
            raise NotFound("This registry has no signing keys yet.", code="no-keys")
        return json_response({"keys": keys}, headers=PRIVATE)

    def _of_upstream(self, environ: WSGIEnvironment) -> Sequence[Json]:
        now = self.monotonic()
        if self._upstream is None or now - self._asked_at > UPSTREAM_SECONDS:
            try:
                self._upstream = _listed(self.below, environ)
            except ServerError:
                if self._upstream is None:
                    raise
            self._asked_at = now
        return self._upstream


def _listed(below: WSGIApplication, environ: WSGIEnvironment) -> Sequence[Json]:
    try:
        status, body = ask(below, environ)
    except NotFound:
        return []
    document: Any = orjson.loads(body) if status == 200 else {}
    return document.get("keys", [])  # type: ignore[no-any-return]
