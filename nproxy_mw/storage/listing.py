"""Listings that tell what changed: keys together with revisions, where a back end lists both at the price of one.

This is an optional part of the storage port. A back end offers it as a method::

    def list_with_revisions(self, prefix: str = "") -> Iterator[tuple[str, Revision]]: ...

It lists what ``list`` lists, each key with the revision that ``read`` would return at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from nproxy_mw.storage.port import Revision, Storage


@runtime_checkable
class ListsRevisions(Protocol):
    """A storage whose listings hold revisions. None stands for one that only a read can tell."""

    def list_with_revisions(self, prefix: str = "") -> Iterable[tuple[str, Revision | None]]:
        """Yields the keys under the folder *prefix*, as ``list`` does, with their revisions."""
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
