"""Turns: requests that wait for a thread, one of each client after another."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue in which a client that asks for much waits behind itself, and not everyone behind it."""

    def __init__(self) -> None:
        self._waiting: dict[object, deque[T]] = {}  # by client; the next client is the first

    def add(self, client: object, request: T) -> None:
        """Adds a request of *client* behind its others."""
        self._waiting.setdefault(client, deque()).append(request)

    def take(self) -> T | None:
        """Takes the next request out; None when there is none."""
        for client in self._waiting:
            queue = self._waiting.pop(client)
            request = queue.popleft()
            if queue:
                self._waiting[client] = queue
            return request
        return None
