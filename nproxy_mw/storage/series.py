"""Several writes of one thread that reach the storage in their order, and wait for it together.

A storage that has to wait for a disk can do so once for several objects. This is an optional part of the storage port
(`HasSeries`). A reader sees at once what was written. All of it is stored when the block ends, and nothing is ever
stored without what was written before it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, cast

from msgspec import Struct

from nproxy_mw.storage.port import Storage


class Series(Struct, frozen=True):
    """A block of writes to *storage*; *order* is entered before the first one, and waits for all at its end."""

    storage: Storage
    order: AbstractContextManager[object]

    def __enter__(self) -> Storage:
        self.order.__enter__()
        return self.storage

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.order.__exit__(kind, error, traceback)


class HasSeries(Protocol):
    """A storage that can wait once for several writes."""

    def series(self) -> Series:
        """Returns a series of writes, with the storage as it is within them."""
        ...

    def stage(self, key: str, data: bytes) -> None:
        """Creates an object within a series: see `stage` below."""
        ...


def in_series(storage: Storage) -> Series:
    """Returns *storage* for a block whose writes are one series. Without such an ability, each write is stored at once.

    When the block raises, writes in it may be undone by a power cut, the last ones first.

    Raises:
        StorageUnavailable: at the end of the block, something that was written in it may not be stored.
    """
    # Of its class: a wrapper that hands on all attributes must not be left out.
    return cast("HasSeries", storage).series() if hasattr(type(storage), "series") else Series(storage, nullcontext())


def stage(storage: Storage, key: str, data: bytes) -> None:
    """Creates an object that nobody looks for before a later write of the series names it.

    It needs no wait of its own. A power cut before that write may leave it damaged. Raises as `Storage.create`.
    """
    if hasattr(type(storage), "stage"):
        cast("HasSeries", storage).stage(key, data)
    else:
        storage.create(key, data)
