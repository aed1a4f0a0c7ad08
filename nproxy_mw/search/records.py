"""Packages as the storage holds them this moment, for the index. Nothing is kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TypeAlias

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.packages.record import decode
from nproxy_mw.search.entries import Entry, entry_of
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.freshness import strict
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.listing import list_with_revisions
from nproxy_mw.storage.port import Revision, Storage

_log = logging.getLogger(__name__)


class Outcome(Enum):
    """What reading a package can come to, if it is no entry."""

    UNCHANGED = "it is as the index knows it"
    GONE = "it has no record"
    FAILED = "it could not be read"


Read: TypeAlias = Entry | Outcome


class Records:
    """The records on *storage*, an organization's own, read by *threads* at once."""

    def __init__(self, storage: Storage, threads: int) -> None:
        self.storage = strict(storage)
        self.threads = threads

    def revisions(self) -> Iterator[tuple[str, Revision | None]]:
        """Yields the names of all packages, with the revisions of their records where the storage lists them.

        Raises:
            StorageUnavailable: the storage cannot be listed.
        """
        for key, revision in list_with_revisions(self.storage, RECORD.folder):
            if parts := RECORD.parse(key):
                yield parts[0], revision

    def read(self, known: Mapping[str, Revision | None]) -> dict[str, Read]:
        """Returns for each name in *known* what its record says, if that is no longer at the known revision."""
        if self.threads == 1 or len(known) == 1:
            return dict(zip(known, map(self._read, known, known.values()), strict=True))
        with ThreadPoolExecutor(self.threads, thread_name_prefix="search-index") as pool:
            return dict(zip(known, pool.map(self._read, known, known.values()), strict=True))

    def _read(self, name: str, known: Revision | None) -> Read:
        key = RECORD.key(name)
        try:
            stored = self.storage.read(key) if known is None else self.storage.read_if_changed(key, known)
        except Missing:
            return Outcome.GONE
        except StorageUnavailable as error:
            _log.warning("%s cannot be read for the search index: %s", name, error)
            return Outcome.FAILED
        if stored is None:
            return Outcome.UNCHANGED
        try:
            return entry_of(name, decode(stored.data), stored.revision)
        except UnreadableObject as error:
            _log.warning("%s is not found by searches: %s", name, error)
            return Entry(name, stored.revision)
