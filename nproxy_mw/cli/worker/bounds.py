"""What a client may take of a worker: every number in one place. docs/servers.md promises them."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times are in seconds, sizes in bytes, paces in bytes a second."""

    head_seconds: float = 10.0
    """From the connection, or from the first byte on a kept one, to the end of the head. Apache gives 20 to 40."""

    head_size: int = 32 * KIB
    """All headers together. Node's limit is 16 KiB, nginx's 32 KiB."""

    body_patience: float = 20.0
    """Silence within a body. Longer than any pause of a network that still works."""

    send_patience: float = 60.0
    """How long a client may take nothing of its answer."""

    slowest: int = KIB
    """A pace below which bytes do not count as progress. Apache's mod_reqtimeout asks for 500, Kestrel for 240."""

    brisk: int = 32 * KIB
    """The same while the worker is crowded: half of its room for waiting bytes, or of its connections, is taken."""

    memory: int = 64 * MIB
    """Bodies and answers that wait for their clients in memory; what is more goes to disk."""

    disk: int = 1024 * MIB
    """Bodies and answers that wait for their clients in temporary files."""

    small_body: int = 64 * KIB
    """Up to this size a body is kept in memory, and never gets a thread before it is whole."""

    stored_body: int = 128 * MIB
    """Up to this size a body is stored when no thread can read it; a larger or a chunked one is answered 503 then."""

    direct_wait: float = 0.5
    """How long a large body waits for one of the threads that read bodies themselves, before it is stored."""

    direct_share: int = 4
    """One of so many threads may read a body itself; at least one may."""

    linger_seconds: float = 2.0
    """How long a connection stays open behind its last answer, so that the answer arrives."""

    linger_size: int = 256 * KIB
    """How much of a refused body is read and thrown away meanwhile."""

    per_address: float = 0.5
    """The share of a worker's connections that one client address may hold."""

    accept_pause: float = 0.5
    """How long no connection is accepted after the system had no room for one."""


RESERVED_FILES = 128
"""Descriptors that connections leave to the application, its storage and its upstream."""

_FILES_EACH = 2
"""Descriptors that a connection may need: its socket, and a temporary file."""


def raised_file_limit(connections: int) -> int:
    """Raises this process's limit of open files as far as *connections* need it and the system lets it; returns it."""
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
    """Returns the deadline of a transfer that just moved *size* bytes.

    Waiting uses patience up, and each byte gives a little of it back. So one rule holds for silence, and for a byte now
    and then.
    """
    return min(now + patience, deadline + size / pace)
