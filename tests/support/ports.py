"""Ports of the loopback that no other process takes meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from nproxy_mw.testing.engines import free_ports


def free_port() -> int:
    """A port to listen on in a moment; it is none of those that the system gives to whoever asks for any."""
    return free_ports(1)[0]


@contextmanager
def silent_url() -> Iterator[str]:
    """The URL of a port that is taken for as long as the block runs, and refuses every connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
