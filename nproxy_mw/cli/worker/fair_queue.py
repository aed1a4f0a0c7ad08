"""FairQueue: requests that wait for a thread, one of each client after another."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue in which a client with many requests delays its own requests, and those of others by one."""

    def __init__(self) -> None:
        self._waiting: dict[object, deque[T]] = {}  # by client, in the order of their turns

    def add(self, client: object, request: T) -> None:
        """Adds a request behind the others of *client*."""
        self._waiting.setdefault(client, deque()).append(request)

    def take(self) -> T | None:
        """Removes and returns the next request; None when there is none."""
        for client in self._waiting:
            requests = self._waiting.pop(client)
            request = requests.popleft()
            if requests:
                self._waiting[client] = requests
            return request
        return None
