"""Reads of the internal packages of one organization: packuments, records, names, tarballs. Knows no HTTP.

Nothing is said to be absent because of a state that was remembered: before that, the storage itself is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from msgspec import Struct

from nproxy_mw.errors import Missing, NotFound
from nproxy_mw.grounds import rest_on
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.packages import changes
from nproxy_mw.packages.browsing import BrowsedPackage
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.records import RecordStore
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import RECORD, TARBALL
from nproxy_mw.storage.looks import look_at_open
from nproxy_mw.storage.port import Revision, Storage

_log = logging.getLogger(__name__)


class ReadRecord(Protocol):
    """Reads a package's record, or part of it, and the revision of that; *current*: as it is this moment."""

    def __call__(self, name: Name, *, current: bool = False) -> tuple[Record, Revision]: ...


class OpenTarball(Struct, frozen=True):
    """A stored tarball, open for reading. Its receiver closes *stream*."""

    stream: BinaryIO
    size: int  # bytes
    integrity: str


class PackageReader:
    """The internal packages on *storage*, one organization's own, to read."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.records = RecordStore(storage)

    def read(self, name: Name, *, for_write: bool = False) -> tuple[Json, Revision]:
        """Returns the packument, without tarball URLs, and the storage revision of its record.

        *for_write* asks for it as it is this moment: what is about to be changed must not be a little old.

        Raises:
            NotFound: there is no such package, or it is unpublished.
        """
        return self._read(self.records.whole, name, current=for_write)

    def outline(self, name: Name) -> Json:
        """Returns the packument with a few of its versions: the one that ``latest`` names, and the newest.

        Raises:
            NotFound: there is no such package, or it is unpublished.
        """
        return self._read(self.records.own, name)[0]

    def browse(self, name: Name, *, for_write: bool = False) -> BrowsedPackage:
        """Returns the package for pages: what is not looked at is not decoded. See `read`."""
        package = self.records.browsed(name, current=for_write)
        if package.record.packument is None and not for_write:
            package = self.records.browsed(name, current=True)
        changes.present(package.record)
        return package

    def document(self, name: Name, *, for_write: bool = False) -> tuple[str, bytes]:
        """Returns npm's ``_rev`` of the packument and its JSON, without tarball URLs. See `read`."""
        record, data = self.records.packument(name, current=for_write)
        if record.packument is None and not for_write:
            record, data = self.records.packument(name, current=True)
        changes.present(record)
        return record.revision, data

    def record(self, name: Name, *, current: bool = False) -> tuple[Record, Revision]:
        """Returns the whole stored record; *current*: as it is this moment.

        Raises:
            NotFound: nothing was ever published under that name.
        """
        return self.records.whole(name, current=current)

    def names(self) -> Iterator[Name]:
        """Yields every package that can be read, in the order of their names.

        One that cannot be read because its record is damaged is logged, and the others are listed all the same.
        """
        for name in sorted(map(parse_name, RECORD.names(self.storage))):
            try:
                self.outline(name)
            except NotFound:
                continue
            except UnreadableObject as error:
                _log.warning("%s is left out of a list: %s", name, error)
                continue
            yield name

    def open_tarball(self, name: Name, filename: str) -> OpenTarball:
        """Opens the tarball that *filename* (``utils-1.0.0.tgz``) names.

        Raises:
            NotFound: no version has it.
        """
        found = self._opened(name, filename, current=False) or self._opened(name, filename, current=True)
        if found is None:
            raise NotFound("The package has no such tarball.", code="tarball-not-found")
        return found

    def _read(self, read: ReadRecord, name: Name, *, current: bool = False) -> tuple[Json, Revision]:
        record, revision = read(name, current=current)
        if record.packument is None and not current:
            record, revision = read(name, current=True)
        return {**changes.present(record), "_rev": record.revision}, revision

    def _opened(self, name: Name, filename: str, *, current: bool) -> OpenTarball | None:
        version = name.version_in(filename)
        record, _ = self.records.own(name, current=current)
        if record.packument and version in record.tarballs:
            entry, manifest = record.tarballs[version], record.packument["versions"][version]
        elif record.version_parts and (found := self.records.release_in_parts(name, version, current=current)):
            entry, manifest = found
        else:
            return None
        if filename != name.tarball(version):
            return None
        key = TARBALL.key(name, entry["key"])
        try:
            stream = self.storage.open(key)
        except Missing:  # unpublished between the two reads
            return None
        rest_on(look_at_open(self.storage, key, stream))
        return OpenTarball(stream, entry["size"], manifest["dist"]["integrity"])
