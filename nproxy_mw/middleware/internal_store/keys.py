"""The public keys of both worlds in one list: the organization's own, and those of the upstream.

npm looks keys up by registry, and this registry serves both: ``npm audit signatures`` stops at the first version whose
key is not listed. So an upstream that cannot be asked must not look like one without keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Raw

from nproxy_mw.errors import NotFound, ServerError
from nproxy_mw.http.handlers import Request
from nproxy_mw.http.messages import JSON, PRIVATE, Response
from nproxy_mw.json_values import Json
from nproxy_mw.npm.routes import Kind, Route
from nproxy_mw.npm.slices import list_of
from nproxy_mw.npm.source import PackageSource

UPSTREAM_SECONDS = 600.0
"""How long the upstream's keys are taken as they were. They change once in years."""

_KEYS = Route(Kind.KEYS)


class Keys:
    """Answers ``/-/npm/v1/keys``: *own* keys and those of *upstream*, if there is one."""

    def __init__(
        self,
        own: Callable[[], Sequence[Json]],
        upstream: PackageSource | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.own = own
        self.upstream = upstream
        self.monotonic = monotonic
        self._found: Sequence[Raw] | None = None
        self._asked_at = 0.0

    def keys(self, request: Request) -> Response:
        """Returns the merged list; 404, which npm takes for "nothing is signed here", when it is empty."""
        keys = [*self.own(), *self._of_upstream()]
        if not keys:
            raise NotFound("This registry has no signing keys yet.", code="no-keys")
        return Response(200, [("Content-Type", JSON), *PRIVATE], msgspec.json.encode({"keys": keys}))

    def _of_upstream(self) -> Sequence[Raw]:
        now = self.monotonic()
        if self._found is None or now - self._asked_at > UPSTREAM_SECONDS:
            try:
                self._found = _listed(self.upstream)
            except ServerError:
                if self._found is None:
                    raise
            self._asked_at = now
        return self._found


def _listed(upstream: PackageSource | None) -> Sequence[Raw]:
    try:
        document = upstream.document(_KEYS) if upstream is not None else None
    except NotFound:
        return []
    return list_of(document.members.get("keys")) if document is not None else []
