"""Poller: which connections a worker has, and what it waits for of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, BaseSelector
from typing import Any

from nproxy_mw.cli.worker.connection import Connection, nothing
from nproxy_mw.cli.worker.crowd import Crowd


class Poller:
    """The worker's selector and its crowd of connections. What goes wrong with one ends that one and nothing else."""

    def __init__(self, selector: BaseSelector, crowd: Crowd, log: Any) -> None:
        self.selector = selector
        self.crowd = crowd
        self.log = log

    def add(self, connection: Connection, step: Callable[[Connection], None], deadline: float) -> None:
        """Does *step* when a new connection has bytes, which may be at once."""
        connection.callback = partial(self._on_ready, connection)
        connection.when_ready = step
        connection.deadline = deadline
        self.crowd.add(connection)
        self.attempt(self._begin, connection)

    def watch(self, connection: Connection, events: int) -> None:
        """Waits for *events* of a connection; 0 for none."""
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
        """Does *step*."""
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
        """Closes a connection; one that a thread has, when it comes back."""
        if connection not in self.crowd:
            return
        self.watch(connection, 0)
        if connection.deadline < math.inf:
            connection.when_ready = nothing
            self.crowd.remove(connection)
            connection.close()

    def _on_ready(self, connection: Connection, _: Any) -> None:
        self.attempt(connection.when_ready, connection)

    def _begin(self, connection: Connection) -> None:
        self.watch(connection, EVENT_READ)
        connection.when_ready(connection)
