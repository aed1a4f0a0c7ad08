"""A source that is guarded: an upstream that fails, stalls or is slow affects only what must be asked of it.

- At most *asking* requests ask the upstream at a time. Others wait for their turn, a few seconds at most, and get 503
  then. If *waiting* requests ask or wait already, the next one gets 503 at once, so that threads are left for what
  needs no upstream (a bulkhead).
- What failed at once is tried again, a few times and after a short pause.
- After failures in a row a circuit breaker refuses at once, and lets a probe through now and then.
- *offline*, nothing is asked at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from nproxy_mw.errors import Busy, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.http.context import CURRENT
from nproxy_mw.jitter import jitter
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.upstream.breaker import Breaker
from nproxy_mw.upstream.origins import UpstreamElsewhere
from nproxy_mw.upstream.responses import UnusableAnswer
from nproxy_mw.upstream.rooms import WAITING, Room

T = TypeVar("T")

ASKING = 48
"""Requests of one process that ask the upstream at a time: as many as connections to it are kept."""

PATIENCE = 5.0
"""Seconds that a request waits for its turn to ask."""

ATTEMPTS = 3
PAUSE = 0.1  # seconds before the second attempt; twice as long before the third
FAST = 2.0  # seconds: what failed later than that is not tried again, for somebody is waiting

_OFFLINE = "This registry is offline: it serves what it has kept, and this is not there."
_OPEN = "The upstream registry does not answer just now, so it is not asked: try again in {seconds} seconds."


class Guarded:
    """Guards *source*. *patience*, *sleep* and *monotonic* are in seconds."""

    def __init__(
        self,
        source: PackageSource,
        *,
        breaker: Breaker | None = None,
        asking: int = ASKING,
        waiting: int = WAITING,
        patience: float = PATIENCE,
        offline: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.breaker = breaker or Breaker(monotonic=monotonic)
        self.offline = offline
        self.sleep = sleep
        self.monotonic = monotonic
        self._waiting = Room(waiting)
        self._asking = Room(min(asking, waiting), patience=patience)

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Asks the source for a packument. See `PackageSource`."""
        return self._asked(name, lambda: self.source.packument(name, unless=unless, for_write=for_write))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Asks the source for the dist-tags. See `PackageSource`."""
        return self._asked(name, lambda: self.source.dist_tags(name))

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Asks the source for keys or attestations. See `PackageSource`."""
        return self._asked(route, lambda: self.source.document(route, unless=unless))

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Asks the source for a tarball. It counts as asking until the blob is closed. See `PackageSource`."""
        self._check_line()

        def ask() -> Blob:
            return self._tried((name, filename), lambda: self.source.tarball(name, filename, part))

        return self._waiting.opened(lambda: self._asking.opened(ask))

    def _asked(self, thing: Hashable, ask: Callable[[], T]) -> T:
        self._check_line()
        with self._waiting.place(), self._asking.place():
            return self._tried(thing, ask)

    def _check_line(self) -> None:
        if self.offline:
            raise UpstreamUnavailable(_OFFLINE, code="offline")

    def _tried(self, thing: Hashable, ask: Callable[[], T]) -> T:
        """Asks, again after a quick failure, and reports the outcome to the breaker."""
        started = self.monotonic()
        try:
            return self._attempted(thing, ask, started)
        finally:
            context = CURRENT.get()
            if context is not None:
                context.upstream_seconds = (context.upstream_seconds or 0.0) + self.monotonic() - started

    def _attempted(self, thing: Hashable, ask: Callable[[], T], started: float) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            if not self.breaker.passes():
                raise UpstreamUnavailable(_OPEN.format(seconds=int(self.breaker.seconds_left()) + 1))
            try:
                found = ask()
            except UpstreamElsewhere:  # an answer, and the next one would be the same
                self.breaker.succeeded()
                raise
            except UpstreamTimeout:
                self.breaker.failed(object())  # each one counts: it cost somebody's time
                raise
            except (UpstreamUnavailable, Busy) as error:
                if isinstance(error, UnusableAnswer):
                    self.breaker.succeeded()
                else:
                    self.breaker.failed(thing)
                wait = error.retry_after if isinstance(error, Busy) else 0
                if attempt == ATTEMPTS or wait > FAST or self.monotonic() - started > FAST:
                    raise
                self.sleep(max(wait, PAUSE * attempt * jitter(0.5, 1.5)))
            except Exception:  # an answer, if not the one that was hoped for
                self.breaker.succeeded()
                raise
            else:
                self.breaker.succeeded()
                return found
        raise AssertionError("unreachable")
