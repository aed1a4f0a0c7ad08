"""What equal texts stand for, read once: many versions of a package have equal fields. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import Raw

T = TypeVar("T")


class Once(dict[bytes, T]):
    """What *read* makes of each text, and *none* for the empty one, which stands for a member that is absent."""

    def __init__(self, read: Callable[[Raw], T], none: T) -> None:
        super().__init__({b"": none})
        self._read = read

    def __missing__(self, text: bytes) -> T:
        self[text] = found = self._read(Raw(text))
        return found
