"""Listings that tell what changed: keys with revisions or times, where a back end lists both at the price of one.

These are optional parts of the storage port. A back end offers them as methods::

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]: ...
    def list_with_times(self, prefix: str = "") -> Iterator[tuple[str, datetime]]: ...
    def list_names(self, prefix: str = "") -> Sequence[str] | None: ...

The first two list what ``list`` lists, each key with the revision that ``read`` would return at that moment, or with
the time at which the object was last written, by the one clock of the storage. The third is for a storage where looking
into a folder costs as good as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


@runtime_checkable
class ListsNames(Protocol):
    """A storage that lists one folder without those in it."""

    def list_names(self, prefix: str = "") -> Sequence[str] | None:
        """Returns the names in the folder *prefix*, of objects and of folders, in no order; None if it cannot.

        Some may be names of neither.
        """
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


def list_names(storage: Storage, prefix: str = "") -> Sequence[str] | None:
    """Returns the names in the folder *prefix*; None where *storage* cannot list those alone.

    Raises:
        StorageUnavailable: the storage cannot be listed.
    """
    return storage.list_names(prefix) if isinstance(storage, ListsNames) else None
