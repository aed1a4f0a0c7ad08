"""Poller: waits for what clients do, and takes the next step on their connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, BaseSelector
from typing import Any

from nproxy_mw.cli.worker.connection import Connection, nothing
from nproxy_mw.cli.worker.connections import Connections


class Poller:
    """A worker's selector and connections. An error on a connection closes that connection and affects nothing else."""

    def __init__(self, selector: BaseSelector, connections: Connections, log: Any) -> None:
        self.selector = selector
        self.connections = connections
        self.log = log

    def add(self, connection: Connection, step: Callable[[Connection], None], deadline: float) -> None:
        """Adds a new connection and takes *step* as soon as it has bytes, which may be at once."""
        connection.callback = partial(self._on_ready, connection)
        connection.when_ready = step
        connection.deadline = deadline
        self.connections.add(connection)
        self.attempt(self._begin, connection)

    def watch(self, connection: Connection, events: int) -> None:
        """Waits for *events* of a connection from now on; for none of them when it is 0."""
        if connection.events == events:
            return
        if not connection.events:
            self.selector.register(connection.stream, events, connection.callback)
        elif not events:
            self.selector.unregister(connection.stream)
        else:
            self.selector.modify(connection.stream, events, connection.callback)
        connection.events = events

    def attempt(self, step: Callable[[Connection], None], connection: Connection) -> None:
        """Takes *step* on a connection."""
        try:
            step(connection)
        except BlockingIOError:
            return
        except OSError:  # the client is gone
            self.drop(connection)
        except Exception:
            self.log.exception("a connection failed in the server")
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Closes a connection. One whose request a thread has is only ignored until the thread is done."""
        if connection not in self.connections:
            return
        self.watch(connection, 0)
        if connection.deadline < math.inf:
            connection.when_ready = nothing
            self.connections.remove(connection)
            connection.close()

    def _on_ready(self, connection: Connection, _: Any) -> None:
        self.attempt(connection.when_ready, connection)

    def _begin(self, connection: Connection) -> None:
        self.watch(connection, EVENT_READ)
        connection.when_ready(connection)
