"""Pages of a list that is known whole. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from nproxy_mw.whole_numbers import whole_number

T = TypeVar("T")

LENGTH = 50


@dataclass(frozen=True, slots=True)
class ListPage(Generic[T]):
    """The entries of page *number*, which counts from 1; *total* entries are in the whole list."""

    entries: Sequence[T]
    number: int
    total: int
    length: int = LENGTH

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.total // self.length))

    @property
    def first(self) -> int:
        """The place of the first entry, counted from 1."""
        return (self.number - 1) * self.length + 1

    @property
    def last(self) -> int:
        """The place of the last entry."""
        return self.first + len(self.entries) - 1


def page_of(entries: Sequence[T], number: str, length: int = LENGTH) -> ListPage[T]:
    """Returns the page that a URL names; the first or the last one when it names none that there is."""
    last = max(1, -(-len(entries) // length))
    place = min(max(whole_number(number, digits=7) or 1, 1), last)
    return ListPage(entries[(place - 1) * length : place * length], place, len(entries), length)
