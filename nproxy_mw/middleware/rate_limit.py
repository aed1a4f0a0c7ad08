"""RateLimit: too often?

The organization's setting ``rateLimit`` says how many requests and how many changes one caller may make in a minute. A
caller is an API token; without one, an IPv4 address or a /64 of IPv6. RateLimit stands inside ScopeRouter, which asks
for the settings, so it costs nothing while there is no limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nproxy_mw.accounts.attempts import network_of
from nproxy_mw.errors import TooManyRequests
from nproxy_mw.grounds import rest_on
from nproxy_mw.http.context import CONTEXT, PRINCIPAL, ROUTE, SETTINGS, Context
from nproxy_mw.http.messages import is_read
from nproxy_mw.npm.routes import Kind
from nproxy_mw.storage.rates import Rates

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ASK_BY_POST = frozenset({Kind.ADVISORIES, Kind.AUDIT})


class RateLimit:
    """Counts the requests of each caller of the organization *org* in *rates*, and refuses those above the limit.

    Raises:
        TooManyRequests: 429, with the time to wait.
    """

    def __init__(self, app: WSGIApplication, *, rates: Rates, org: str) -> None:
        self.app = app
        self.rates = rates
        self.org = org

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        context = environ.get(CONTEXT) or Context()
        settings = context.settings or SETTINGS.require(environ, by="RateLimit")
        if settings.rate_limit is not None:
            rest_on(None)
            self._count(environ, settings.rate_limit.get("requestsPerMinute"), "requests")
            if _is_change(environ):
                self._count(environ, settings.rate_limit.get("publishesPerMinute"), "changes")
        return self.app(environ, start_response)

    def _count(self, environ: WSGIEnvironment, per_minute: int | None, what: str) -> None:
        if per_minute is None:
            return
        token = PRINCIPAL.require(environ, by="RateLimit").token_hash
        caller = token or network_of(environ.get("REMOTE_ADDR", ""), v4=32, v6=64)
        if wait := self.rates.take(f"{self.org}/{what}/{caller}", per_minute):
            raise TooManyRequests(
                f"{'This token' if token else 'This address, which sent no token,'} has made the {per_minute} {what} "
                f"that this organization allows in a minute: wait {math.ceil(wait)} seconds.",
                retry_after=math.ceil(wait),
            )


def _is_change(environ: WSGIEnvironment) -> bool:
    return not is_read(environ) and ROUTE.require(environ, by="RateLimit").kind not in _ASK_BY_POST
