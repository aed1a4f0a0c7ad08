"""Listings that tell what changed: keys with revisions or times, where a back end lists both at the price of one.

These are optional parts of the storage port. A back end offers them as methods::

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]: ...
    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime]]: ...

They list what ``list`` lists, each key with the revision that ``read`` would return at that moment, or with the time at
which the object was last written, by the one clock of the storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, runtime_checkable

from nproxy_mw.storage.port import Revision, Storage


@runtime_checkable
class ListsRevisions(Protocol):
    """A storage whose listings hold revisions. None stands for one that only a read can tell."""

    def list_with_revisions(self, prefix: str = "") -> Iterable[tuple[str, Revision | None]]:
        """Yields the keys under the folder *prefix*, as ``list`` does, with their revisions."""
        ...


@runtime_checkable
class ListsTimes(Protocol):
    """A storage whose listings hold times. None stands for one that is not known."""

    def list_with_times(self, prefix: str = "") -> Iterable[tuple[str, datetime | None]]:
        """Yields the keys under the folder *prefix*, as ``list`` does, with the times of their last writes."""
        ...


def list_with_revisions(storage: Storage, prefix: str = "") -> Iterator[tuple[str, Revision | None]]:
    """Yields the keys under the folder *prefix* with their revisions; None where *storage* cannot list those.

    Raises:
        StorageUnavailable: the storage cannot be listed.
    """
    if isinstance(storage, ListsRevisions):
        yield from storage.list_with_revisions(prefix)
    else:
        for key in storage.list(prefix):
            yield key, None


def list_with_times(storage: Storage, prefix: str = "") -> Iterator[tuple[str, datetime | None]]:
    """Yields the keys under the folder *prefix* with the times of their last writes; None where those are not known.

    Raises:
        StorageUnavailable: the storage cannot be listed.
    """
    if isinstance(storage, ListsTimes):
        yield from storage.list_with_times(prefix)
    else:
        for key in storage.list(prefix):
            yield key, None
