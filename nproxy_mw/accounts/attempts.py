"""Sign-in attempts, slowed down on repetition: by name and network together, and by network.

The counters are on Storage, so they hold for all processes and hosts together. A counter is raised before the password
is looked at, by compare-and-swap, so that many attempts at once gain nothing; a right password takes that back. After
some free attempts each one doubles the wait for the next, up to a bound, and an hour of quiet resets the counter. No
worker sleeps: an early attempt is answered 429 with ``Retry-After`` and is not counted.

No counter belongs to a name alone: anybody can fail by another's name, and would lock the owner out. A network from
which a name signed in before is *known* to that name. It has a counter of its own and no other, so what strangers do
elsewhere never delays it.

Names and networks share a fixed number of counters, so nobody can fill the storage by failing. Counters of known
networks come with right passwords alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct

from nproxy_mw.errors import Busy, TooManyRequests
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import ATTEMPTS
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, from_timestamp, timestamp, utc_now

KNOWN_FOR = timedelta(days=90)
"""How long a network stays known after a right password."""

REPORTS = 100
"""Failures that are reported in an hour: guessing must not fill the audit trail."""

_FORGET = timedelta(hours=1)
_REMEMBER = timedelta(days=1)  # a known network is noted anew at most so often
_DIGITS = 3  # hex digits of a counter's key: 4096 counters of each kind


class Slowdown(Struct, frozen=True):
    """How attempts of one kind are slowed: *free* ones first, then 1, 2, 4 ... seconds apart, up to *longest*."""

    free: int
    longest: int  # seconds

    def delay(self, failures: int) -> timedelta:
        """Returns how long after the last of *failures* the next attempt must wait."""
        over = failures - self.free
        return timedelta(seconds=min(2 ** min(over, 30), self.longest) if over >= 0 else 0)


BY_NAME = Slowdown(free=5, longest=60)
"""Of one name from one network."""

BY_NETWORK = Slowdown(free=20, longest=900)
"""Of all names from one network that none of them knows. More are free, because an office may share one address."""


class Attempt(Struct, frozen=True):
    """An attempt by *name* from *network* that was counted. *failures* are those counted there, with this one."""

    name: str
    network: str
    is_known: bool
    failures: int


class Attempts:
    """The counters on *storage*, the whole one."""

    def __init__(self, storage: Storage, *, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.clock = clock

    def begin(self, name: str, ip: str) -> Attempt:
        """Counts an attempt as failed before its outcome is known.

        Raises:
            TooManyRequests: it comes too early, and is not counted.
        """
        network = network_of(ip)
        if self._is_known(name, network):
            return Attempt(name, network, True, self._raise(_known(name, network), BY_NAME))
        counters = ((_shared("pair", f"{name}\n{network}"), BY_NAME), (_shared("network", network), BY_NETWORK))
        for key, slowdown in counters:  # what one of them refuses must not count in the other
            _check_ready(documents.find(self.storage, key), slowdown, self.clock())
        *_, failures = [self._raise(key, slowdown) for key, slowdown in counters]
        return Attempt(name, network, False, failures)

    def succeed(self, attempt: Attempt) -> None:
        """Takes back what `begin` counted: a right password. The network is known to the name from now on."""
        if not attempt.is_known:
            self._lower(_shared("pair", f"{attempt.name}\n{attempt.network}"), to_zero=True)
            self._lower(_shared("network", attempt.network))
        self._change(_known(attempt.name, attempt.network), partial(_remembered, now=self.clock()))

    def withdraw(self, attempt: Attempt) -> None:
        """Takes back what `begin` counted, and nothing else: no failure, or nothing that was looked at."""
        if attempt.is_known:
            self._lower(_known(attempt.name, attempt.network))
            return
        self._lower(_shared("pair", f"{attempt.name}\n{attempt.network}"))
        self._lower(_shared("network", attempt.network))

    def is_news(self, attempt: Attempt) -> bool:
        """Returns whether a failure is to be reported: the first, second, fourth ... from a network.

        All networks together have `REPORTS` in an hour.
        """
        if attempt.failures & (attempt.failures - 1):
            return False
        return self._change(ATTEMPTS.key("reported", "all"), partial(_reported, now=self.clock()))

    def _is_known(self, name: str, network: str) -> bool:
        document = documents.find(self.storage, _known(name, network))
        return document is not None and not _is_forgotten(document, self.clock())

    def _raise(self, key: str, slowdown: Slowdown) -> int:
        """Counts one more failure, and returns how many there are."""
        now = self.clock()
        try:
            made = documents.change(self.storage, key, partial(_raised, slowdown=slowdown, now=now))
        except Busy as error:  # so many at once are too many
            raise too_many(1) from error
        return _read(made.after, now)[0]

    def _lower(self, key: str, *, to_zero: bool = False) -> None:
        self._change(key, partial(_lowered, to_zero=to_zero, now=self.clock()))

    def _change(self, key: str, step: documents.ObjectStep) -> bool:
        """Returns False when *step* found nothing to change."""
        try:
            return documents.change(self.storage, key, step).after is not None
        except Busy:  # others fail in the same place: their count stays
            return True


def network_of(ip: str, *, v4: int = 24, v6: int = 48) -> str:
    """Returns the network of an address, by the lengths of its prefix: what a provider gives to one customer.

    It is empty for what is no address.
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(address), v6), strict=False))
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((int(address), v4), strict=False))


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
    document = documents.decode(data)
    failures, _ = _read(document, now)
    return failures == 0 and ("known" not in document or _is_forgotten(document, now))


def _shared(kind: str, who: str) -> str:
    return ATTEMPTS.key(kind, _digest(who)[:_DIGITS])


def _known(name: str, network: str) -> str:
    return ATTEMPTS.key("known", _digest(f"{name}\n{network}"))


def _digest(who: str) -> str:
    return hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()


def _check_ready(document: Json | None, slowdown: Slowdown, now: datetime) -> None:
    failures, last = _read(document, now)
    ready = last + slowdown.delay(failures)
    if now < ready:
        raise too_many(math.ceil((ready - now).total_seconds()))


def _raised(document: Json | None, *, slowdown: Slowdown, now: datetime) -> Json:
    _check_ready(document, slowdown, now)
    return {**(document or {}), **_document(_read(document, now)[0] + 1, now)}


def _reported(document: Json | None, *, now: datetime) -> Json | None:
    reports, since = _read(document, now)
    return _document(reports + 1, since) if reports < REPORTS else None


def _lowered(document: Json | None, *, to_zero: bool, now: datetime) -> Json | None:
    if document is None:
        return None
    failures, last = _read(document, now)
    return {**document, **_document(0 if to_zero else max(0, failures - 1), last)}


def _remembered(document: Json | None, *, now: datetime) -> Json:
    """A known network's counter after a right password."""
    known = _time(document, "known") if document else None
    is_recent = known is not None and now - _REMEMBER < known <= now
    return {**_document(0, now), "known": timestamp(known if known is not None and is_recent else now)}


def _is_forgotten(document: Json, now: datetime) -> bool:
    known = _time(document, "known")
    return not now - KNOWN_FOR < known <= now + _FORGET


def _read(document: Json | None, now: datetime) -> tuple[int, datetime]:
    if not document:
        return 0, now
    failures, last = document.get("failures"), _time(document, "last")
    if not isinstance(failures, int):
        raise documents.damaged()
    # A last attempt in the future comes from another host's clock, or is forged to lock everybody out.
    return (failures, last) if now - _FORGET < last <= now + _FORGET else (0, now)


def _time(document: Json, name: str) -> datetime:
    try:
        return from_timestamp(document[name])
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _document(failures: int, last: datetime) -> dict[str, Any]:
    return {"failures": failures, "last": timestamp(last)}
