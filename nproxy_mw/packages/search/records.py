"""Packages as the storage holds them this moment, for the index. Nothing is kept in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto

from msgspec import Struct

from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.lru import Lru
from nproxy_mw.packages.record import Record, bytes_of, decode
from nproxy_mw.packages.search.entries import PackageEntry, entry_of
from nproxy_mw.packages.version_parts import VersionPart
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.freshness import strict
from nproxy_mw.storage.layout import RECORD
from nproxy_mw.storage.listing import list_with_revisions
from nproxy_mw.storage.parts import PartMissing, Parts
from nproxy_mw.storage.port import Revision, Storage

_log = logging.getLogger(__name__)


class _NoEntry(Enum):
    """What reading a package can come to, if it is no entry."""

    UNCHANGED = auto()
    GONE = auto()
    FAILED = auto()


class ReadPackages(Struct, frozen=True):
    """What was read: *entries* of the packages that changed, None for one without a record; and those that *failed*."""

    entries: Mapping[str, PackageEntry | None]
    failed: frozenset[str]


class PackageRecords:
    """The records on *storage*, an organization's own, read by *threads* at once."""

    def __init__(self, storage: Storage, threads: int) -> None:
        self.storage = strict(storage)
        self.threads = threads
        self._parts = Parts(self.storage, VersionPart, memory=Lru(max_items=0))

    def revisions(self) -> Iterator[tuple[str, Revision | None]]:
        """Yields the names of all packages, with the revisions of their records where the storage lists them.

        Raises:
            StorageUnavailable: the storage cannot be listed.
        """
        for key, revision in list_with_revisions(self.storage, RECORD.folder):
            if parts := RECORD.parse(key):
                yield parts[0], revision

    def read(self, known: Mapping[str, Revision | None]) -> ReadPackages:
        """Reads the packages in *known* whose records are no longer at the known revisions."""
        if self.threads == 1 or len(known) == 1:
            found = list(map(self._read, known, known.values()))
        else:
            with ThreadPoolExecutor(self.threads, thread_name_prefix="search-index") as pool:
                found = list(pool.map(self._read, known, known.values()))
        read = dict(zip(known, found, strict=True))
        entries = {name: it for name, it in read.items() if isinstance(it, PackageEntry)}
        gone = dict.fromkeys(name for name, it in read.items() if it is _NoEntry.GONE)
        return ReadPackages(entries | gone, frozenset(name for name, it in read.items() if it is _NoEntry.FAILED))

    def _read(self, name: str, known: Revision | None) -> PackageEntry | _NoEntry:
        key = RECORD.key(name)
        try:
            stored = self.storage.read(key) if known is None else self.storage.read_if_changed(key, known)
        except Missing:
            return _NoEntry.GONE
        except StorageUnavailable as error:
            _log.warning("%s cannot be read for the search index: %s", name, error)
            return _NoEntry.FAILED
        if stored is None:
            return _NoEntry.UNCHANGED
        try:
            record = decode(stored.data)
            return entry_of(name, record, stored.revision, self._size(name, record))
        except UnreadableObject as error:
            _log.warning("%s is not found by searches: %s", name, error)
            return PackageEntry(name, stored.revision)
        except (PartMissing, StorageUnavailable) as error:  # a part is gone when the package was changed meanwhile
            _log.info("%s is read again for the search index: %s", name, error)
            return _NoEntry.FAILED

    def _size(self, name: str, record: Record) -> int:
        """The bytes of a package's tarballs. Parts that do not say theirs, as earlier versions wrote them, are read."""
        silent = [ref for ref in record.version_parts if ref.tarballs is None]
        told = sum(ref.tarballs or 0 for ref in record.version_parts)
        return bytes_of(record.tarballs) + told + sum(part.tarball_bytes for part in self._parts.read(name, silent))
