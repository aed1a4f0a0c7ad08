"""Sign-in attempts, slowed down on repetition: by name, and by address.

The counters are on Storage, so they hold for all processes and hosts together. A counter is raised before the password
is looked at, by compare-and-swap, so that many attempts at once gain nothing; a right password takes that back. After
some free attempts each one doubles the wait for the next, up to a bound, and an hour of quiet resets the counter. No
worker sleeps: an early attempt is answered 429 with ``Retry-After`` and is not counted.

The bound for a name is short, because anybody can fail by another's name: it must not lock the owner out. Names and
addresses share a fixed number of counters, so nobody can fill the storage by failing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from nproxy_mw.errors import Busy, TooManyRequests
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import ATTEMPTS
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, timestamp, utc_now

_FORGET = timedelta(hours=1)
_DIGITS = 3  # hex digits of a counter's key: 4096 counters of each kind


@dataclass(frozen=True, slots=True)
class Slowdown:
    """How attempts of one kind are slowed: *free* ones first, then 1, 2, 4 ... seconds apart, up to *longest*."""

    kind: str
    free: int
    longest: int  # seconds

    def delay(self, failures: int) -> timedelta:
        """Returns how long after the last of *failures* the next attempt must wait."""
        over = failures - self.free
        return timedelta(seconds=min(2 ** min(over, 30), self.longest) if over >= 0 else 0)


BY_NAME = Slowdown("name", free=5, longest=60)
BY_ADDRESS = Slowdown("address", free=20, longest=900)
"""More are free, because an office may share one address."""


class Attempts:
    """The counters on *storage*, the whole one."""

    def __init__(self, storage: Storage, *, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.clock = clock

    def begin(self, name: str, ip: str) -> None:
        """Counts an attempt as failed before its outcome is known.

        Raises:
            TooManyRequests: it comes too early, and is not counted.
        """
        self._raise(BY_ADDRESS, network_of(ip))
        self._raise(BY_NAME, name)

    def succeed(self, name: str, ip: str) -> None:
        """Takes back what `begin` counted: a right password resets the name, and lowers the address by one."""
        self._lower(BY_NAME, name, by=None)
        self._lower(BY_ADDRESS, network_of(ip), by=1)

    def _raise(self, slowdown: Slowdown, who: str) -> None:
        try:
            documents.change(self.storage, _key(slowdown, who), partial(_raised, slowdown=slowdown, now=self.clock()))
        except Busy as error:  # so many at once are too many
            raise too_many(1) from error

    def _lower(self, slowdown: Slowdown, who: str, *, by: int | None) -> None:
        try:
            documents.change(self.storage, _key(slowdown, who), partial(_lowered, by=by, now=self.clock()))
        except Busy:  # others fail in the same place: their count stays, and the password was right
            return


def network_of(ip: str, prefix: int = 64) -> str:
    """Returns what counts as one address: an IPv4 address, or the IPv6 network of *prefix* bits.

    One host can choose from a /64; a provider gives a customer up to a /48.
    """
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), prefix), strict=False))


def too_many(seconds: int) -> TooManyRequests:
    """Returns what is raised for an attempt that comes *seconds* too early."""
    return TooManyRequests(
        f"Too many attempts to sign in: try again in {seconds} second{'' if seconds == 1 else 's'}.",
        code="too-many-attempts",
        retry_after=seconds,
    )


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the counter that *data* stores says nothing any more, and may be removed.

    Raises:
        UnreadableObject: *data* is no counter.
    """
    return _read(documents.decode(data), now)[0] == 0


def _raised(document: Json | None, *, slowdown: Slowdown, now: datetime) -> Json:
    failures, last = _read(document, now)
    ready = last + slowdown.delay(failures)
    if now < ready:
        raise too_many(math.ceil((ready - now).total_seconds()))
    return _document(failures + 1, now)


def _lowered(document: Json | None, *, by: int | None, now: datetime) -> Json | None:
    if document is None:
        return None
    failures, last = _read(document, now)
    return _document(0 if by is None else max(0, failures - by), last)


def _key(slowdown: Slowdown, who: str) -> str:
    digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()
    return ATTEMPTS.key(slowdown.kind, digest[:_DIGITS])


def _read(document: Json | None, now: datetime) -> tuple[int, datetime]:
    try:
        failures, last = (document["failures"], datetime.fromisoformat(document["last"])) if document else (0, now)
        # A last attempt in the future comes from another host's clock, or is forged to lock everybody out.
        return (failures, last) if now - _FORGET < last <= now + _FORGET else (0, now)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _document(failures: int, last: datetime) -> dict[str, Any]:
    return {"failures": failures, "last": timestamp(last)}
