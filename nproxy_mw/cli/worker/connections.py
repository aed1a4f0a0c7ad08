"""Connections: all connections of a worker, how many one client may have, and which are closed first."""

from __future__ import annotations

import heapq
import math
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

from nproxy_mw.cli.worker.connection import Connection

_MAPPED = b"\0" * 10 + b"\xff\xff"  # an IPv4 address in IPv6, RFC 4291 section 2.5.5.2
_AT_ONCE = 8  # connections closed together, so that a flood does not pay for a search each time


class Connections:
    """At most *capacity* connections, and *per_address* of one client."""

    def __init__(self, capacity: int, per_address: int) -> None:
        self.capacity = capacity
        self.per_address = per_address
        self._all: dict[Connection, None] = {}
        self._by_address: Counter[object] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all))

    def __contains__(self, connection: object) -> bool:
        return connection in self._all

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the capacity is used."""
        return len(self._all) > self.capacity // 2

    def add(self, connection: Connection) -> None:
        """Adds a connection."""
        self._all[connection] = None
        self._by_address[connection.address] += 1

    def remove(self, connection: Connection) -> None:
        """Removes a connection."""
        del self._all[connection]
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]

    def is_full_for(self, address: object) -> bool:
        """Whether there is no room for another connection of *address*."""
        return len(self._all) >= self.capacity or self._has_share(address)

    def in_the_way(self, address: object) -> list[Connection]:
        """Returns the connections to close so that another one of *address* fits: those nearest to their deadline.

        When the address has its share already, they are its own.
        """
        if not self.is_full_for(address):
            return []
        has_share = self._has_share(address)
        return self.nearest_to_deadline([one for one in self._all if not has_share or one.address == address])

    def nearest_to_deadline(self, connections: list[Connection]) -> list[Connection]:
        """Returns the few of *connections* with the least time left; never one whose request a thread has."""
        waiting = [one for one in connections if one.deadline < math.inf]
        return heapq.nsmallest(_AT_ONCE, waiting, key=lambda one: one.deadline)

    def late(self, now: float) -> list[Connection]:
        """Returns the connections whose deadline has passed."""
        return [one for one in self._all if one.deadline < now]

    def _has_share(self, address: object) -> bool:
        return address is not None and self._by_address[address] >= self.per_address


def network_of(client: Any) -> object:
    """Returns what a client's connections are counted by: its IPv4 address, or the /64 of its IPv6 address.

    None is returned for a Unix socket: all its clients are the proxy in front.
    """
    if not isinstance(client, tuple):
        return None
    host = str(client[0])
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return packed if packed.startswith(_MAPPED) else packed[:8]
