"""Sign-in attempts, slowed down on repetition: by name, and by address.

The count lies on Storage, so that it holds for all processes and hosts together. It is raised before a password is
looked at, by compare-and-swap, so that many attempts at once gain nothing; a right password takes it back. After some
free attempts each one makes the next wait twice as long, up to a bound, and an hour of quiet forgets them. Nobody is
made to wait in a worker: who comes too early is told when to come again, and that attempt does not count.

The bound for a name is short, because anybody can fail in another's name: it must not shut the owner out. Names and
addresses share a fixed number of counters, so nobody can fill the storage by failing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nproxy_mw.errors import Busy, TooManyRequests
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, timestamp, utc_now

FOLDER = "attempts"
FORGET = timedelta(hours=1)
DIGITS = 3  # hex digits of a counter's key: 4096 counters of each kind


@dataclass(frozen=True, slots=True)
class Limit:
    """How attempts of one kind are slowed: *free* ones first, then 1, 2, 4 ... seconds apart, up to *longest*."""

    kind: str
    free: int
    longest: int  # seconds

    def delay(self, failures: int) -> timedelta:
        """How long after the last of *failures* the next attempt must wait."""
        over = failures - self.free
        return timedelta(seconds=min(2 ** min(over, 30), self.longest) if over >= 0 else 0)


BY_NAME = Limit("name", free=5, longest=60)
BY_ADDRESS = Limit("address", free=20, longest=900)
"""More are free, because an office may share one address."""


class Attempts:
    """The counters on *storage*, the whole one."""

    def __init__(self, storage: Storage, *, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.clock = clock

    def begin(self, name: str, ip: str) -> None:
        """Counts an attempt as failed before it is known.

        Raises:
            TooManyRequests: it comes too early, and is not counted.
        """
        self._count(BY_ADDRESS, network_of(ip))
        self._count(BY_NAME, name)

    def succeed(self, name: str, ip: str) -> None:
        """Takes back what `begin` counted: a right password clears the name, and its own attempt from the address."""
        self._lower(BY_NAME, name, lambda _: 0)
        self._lower(BY_ADDRESS, network_of(ip), lambda failures: failures - 1)

    def _count(self, limit: Limit, who: str) -> None:
        now = self.clock()

        def counted(document: dict[str, Any] | None) -> Json:
            failures, last = _read(document, now)
            ready = last + limit.delay(failures)
            if now < ready:
                raise too_many(math.ceil((ready - now).total_seconds()))
            return _document(failures + 1, now)

        try:
            documents.change(self.storage, _key(limit, who), counted)
        except Busy as error:  # so many at once are too many
            raise too_many(1) from error

    def _lower(self, limit: Limit, who: str, lowered: Any) -> None:
        def step(document: dict[str, Any] | None) -> Json | None:
            if document is None:
                return None
            failures, last = _read(document, self.clock())
            return _document(max(0, lowered(failures)), last)

        try:
            documents.change(self.storage, _key(limit, who), step)
        except Busy:  # somebody else fails in the same place: their count stays, and the password was right
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
    """What is raised for an attempt that comes too early."""
    return TooManyRequests(
        f"Too many attempts to sign in: try again in {seconds} second{'' if seconds == 1 else 's'}.",
        code="too-many-attempts",
        retry_after=seconds,
    )


def _key(limit: Limit, who: str) -> str:
    digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()
    return f"{FOLDER}/{limit.kind}/{digest[:DIGITS]}.json"


def _read(document: Json | None, now: datetime) -> tuple[int, datetime]:
    try:
        failures, last = (document["failures"], datetime.fromisoformat(document["last"])) if document else (0, now)
        # A last attempt in the future is another host's clock, or a forgery that would shut everybody out.
        return (failures, last) if now - FORGET < last <= now + FORGET else (0, now)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _document(failures: int, last: datetime) -> dict[str, Any]:
    return {"failures": failures, "last": timestamp(last)}
