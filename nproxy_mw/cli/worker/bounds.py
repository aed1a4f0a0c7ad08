"""Bounds: how much of a worker one client can use. Every number is here; docs/servers.md promises them."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress

from msgspec import Struct

KIB = 1024
MIB = 1024 * KIB


class Bounds(Struct, frozen=True):
    """Times are in seconds, sizes in bytes, paces in bytes per second."""

    head_seconds: float = 10.0
    """From the connection, or the first byte of a later request, to the end of the head. Apache allows 20 to 40."""

    head_size: int = 32 * KIB
    """All headers together. Node's limit is 16 KiB, nginx's 32 KiB."""

    body_patience: float = 20.0
    """Silence within a body. It is longer than any pause of a network that still works."""

    send_patience: float = 60.0
    """Silence of a client that does not take its response. nginx allows 60."""

    slowest: int = KIB
    """Bytes below this pace do not count as progress. Apache's mod_reqtimeout asks for 500, Kestrel for 240."""

    brisk: int = 32 * KIB
    """The same while the worker is crowded: half of its disk budget, or of its connections, is taken."""

    memory: int = 64 * MIB
    """Request bodies and responses that wait for clients in memory. What exceeds it goes to disk."""

    disk: int = 1024 * MIB
    """Request bodies and responses that wait for clients in temporary files."""

    small_body: int = 64 * KIB
    """A body up to this size stays in memory, and gets a thread only when it is whole."""

    stored_body: int = 128 * MIB
    """A body up to this size is stored while no thread can read it. A larger or a chunked one gets 503 instead."""

    direct_wait: float = 0.5
    """How long a large body waits for a thread that can read it."""

    direct_share: int = 4
    """One in so many threads may read a body from its client; at least one may."""

    linger_seconds: float = 2.0
    """How long a connection stays open after its last response, so that the response arrives."""

    linger_size: int = 256 * KIB
    """How much of a refused body is read and discarded meanwhile."""

    per_address: float = 0.5
    """The share of a worker's connections that one client address may hold."""

    accept_pause: float = 0.5
    """How long the worker accepts no connections after the system ran out of room for them."""


RESERVED_FILES = 128
"""Descriptors that connections leave to the application, its storage and its upstream."""

_FILES_EACH = 2
"""Descriptors that a connection may need: its socket, and a temporary file."""


def raised_file_limit(connections: int) -> int:
    """Raises this process's limit of open files as far as *connections* need it and the system allows it.

    Returns the limit that holds now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = connections * _FILES_EACH + RESERVED_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def connections_allowed(configured: int, file_limit: int) -> int:
    """Returns how many connections a worker may hold."""
    return max(16, min(configured, (file_limit - RESERVED_FILES) // _FILES_EACH))


def extended(deadline: float, now: float, *, patience: float, size: int, pace: int) -> float:
    """Returns the new deadline of a transfer that just moved *size* bytes.

    Waiting uses up patience, and each byte restores a little of it. So one rule covers silence and a trickle alike.
    """
    return min(now + patience, deadline + size / pace)
