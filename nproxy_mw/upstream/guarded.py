"""A source that is guarded: an upstream that fails, stalls or is slow affects only what must be asked of it.

- At most *waiting* requests wait for the upstream at a time; the next one gets 503 at once, so that threads are left
  for what needs no upstream (a bulkhead).
- What failed at once is tried again, a few times and after a short pause.
- After failures in a row a circuit breaker refuses at once, and lets a probe through now and then.
- *offline*, nothing is asked at all.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from nproxy_mw.errors import Busy, UpstreamTimeout, UpstreamUnavailable
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.upstream.breaker import Breaker

T = TypeVar("T")

WAITING = 48
"""Requests of one process that may wait for the upstream at a time. One npm alone has 15."""

ATTEMPTS = 3
PAUSE = 0.1  # seconds before the second attempt; twice as long before the third
FAST = 2.0  # seconds: what failed later than that is not tried again, for somebody is waiting

_OFFLINE = "This registry is offline: it serves what it has kept, and this is not there."
_OPEN = "The upstream registry does not answer just now, so it is not asked: try again in {seconds} seconds."
_FULL = "Too many requests are waiting for the upstream registry: try again."


class Guarded:
    """Guards *source*. *sleep* and *monotonic* are in seconds."""

    def __init__(
        self,
        source: PackageSource,
        *,
        breaker: Breaker | None = None,
        waiting: int = WAITING,
        offline: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.breaker = breaker or Breaker(monotonic=monotonic)
        self.offline = offline
        self.sleep = sleep
        self.monotonic = monotonic
        self._places = threading.BoundedSemaphore(waiting)

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
        """Asks the source for a tarball. It counts as waiting until the blob is closed. See `PackageSource`."""
        self._enter()
        try:
            blob = self._tried((name, filename), lambda: self.source.tarball(name, filename, part))
        except BaseException:
            self._places.release()
            raise
        return blob.through(iter(blob), _both(blob.close, self._places.release))

    def _asked(self, thing: Hashable, ask: Callable[[], T]) -> T:
        self._enter()
        try:
            return self._tried(thing, ask)
        finally:
            self._places.release()

    def _enter(self) -> None:
        if self.offline:
            raise UpstreamUnavailable(_OFFLINE, code="offline")
        if not self._places.acquire(blocking=False):
            raise Busy(_FULL, retry_after=1, code="upstream-busy")

    def _tried(self, thing: Hashable, ask: Callable[[], T]) -> T:
        """Asks, again after a quick failure, and reports the outcome to the breaker."""
        started = self.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            if not self.breaker.passes():
                raise UpstreamUnavailable(_OPEN.format(seconds=int(self.breaker.seconds_left()) + 1))
            try:
                found = ask()
            except UpstreamTimeout:
                self.breaker.failed(object())  # each one counts: it cost somebody's time
                raise
            except (UpstreamUnavailable, Busy) as error:
                self.breaker.failed(thing)
                wait = error.retry_after if isinstance(error, Busy) else 0
                if attempt == ATTEMPTS or wait > FAST or self.monotonic() - started > FAST:
                    raise
                self.sleep(max(wait, PAUSE * attempt * random.uniform(0.5, 1.5)))
            except Exception:  # an answer, if not the one that was hoped for
                self.breaker.succeeded()
                raise
            else:
                self.breaker.succeeded()
                return found
        raise AssertionError("unreachable")


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    """Returns what calls both, the second one whatever becomes of the first."""

    def call() -> None:
        try:
            first()
        finally:
            second()

    return call
