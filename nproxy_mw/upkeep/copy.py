"""Copies a whole store to another place or back end; can be stopped at any time and run again.

*Strategy:* the destination can be served from the beginning, so objects go over in the order of `layout.Stage`, and
each package's record after its parts and tarballs, as a publish writes them. Sessions stay behind: people sign in
again.

What is written is read back and compared. A record that is equal on both sides was written after its tarballs were
compared, so a second run asks nothing more about its package.

A copy has a marker that names its source. Only a copy is written over, and only while nobody has changed it on its own:
where a chain of audit events in the destination is not the beginning of the source's, copying stops.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import orjson

from nproxy_mw.audit.package_chain import chain_of
from nproxy_mw.errors import Changed, Conflict, Exists, Missing, StorageUnavailable
from nproxy_mw.npm.names import parse_name
from nproxy_mw.packages.record import decode
from nproxy_mw.packages.records import uncached
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import CHAIN, COPY, PART, RECORD, SEGMENT, TARBALL, ObjectKind, Stage, home, locate
from nproxy_mw.storage.parts import PartMissing, read_part
from nproxy_mw.storage.port import Storage, Stored
from nproxy_mw.storage.urls import local_folder
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress

_THREADS = 4  # each holds one tarball, of up to 50 MB
_PIECE = 1024 * 1024  # bytes


def copy(
    source: Storage, destination: Storage, *, origin: str, dry_run: bool = False, progress: Progress | None = None
) -> Progress:
    """Makes *destination* hold what *source* holds; returns what was done. *origin* names the source in its copies.

    With *dry_run*, nothing is written.

    Raises:
        Conflict: the destination holds another store, or was changed on its own.
        StorageUnavailable: one of them cannot be read or written, or returned other bytes than were written.
    """
    progress = Progress() if progress is None else progress
    _claim(destination, origin, dry_run=dry_run)
    copier = _Copier(source, destination, progress, dry_run=dry_run)
    for stage in Stage:
        keys = (key for key in source.list() if locate(key).kind.copied is stage)
        for _ in map_ordered(copier.carry, keys, threads=_THREADS):
            pass
    copier.remove_stale()
    return progress


def _claim(destination: Storage, origin: str, *, dry_run: bool = False) -> None:
    """Marks an empty *destination* as a copy of *origin*. Raises `Conflict` when it is something else."""
    marker = documents.find(destination, COPY.key())
    if marker is None:
        if next(iter(destination.list()), None) is not None:
            raise Conflict("The destination holds another store: give an empty folder or bucket.", code="not-a-copy")
        if not dry_run:
            with suppress(Exists):
                destination.create(COPY.key(), documents.encode({"source": origin}))
            _claim(destination, origin, dry_run=True)
    elif marker.get("source") != origin:
        raise Conflict("The destination is a copy of another store: give an empty folder or bucket.", code="not-a-copy")


@dataclass(frozen=True, slots=True)
class _Package:
    """The package *name* of an organization; *home* is the folder of that, with a slash."""

    org: str
    name: str
    home: str

    @classmethod
    def of(cls, key: str) -> _Package:
        """Returns the package whose record is under *key*."""
        place = locate(key)
        (name,) = RECORD.parse(place.key) or ("",)
        return cls(place.org or "", name, key.removesuffix(place.key))

    def key(self, kind: ObjectKind, file: str) -> str:
        """Returns the key of an object of the package in the whole store."""
        return f"{self.home}{kind.key(self.name, file)}"


class _Copier:
    """Carries single objects from *source* to *destination*."""

    def __init__(self, source: Storage, destination: Storage, progress: Progress, *, dry_run: bool) -> None:
        self.source = source
        self.destination = destination
        self.progress = progress
        self.dry_run = dry_run

    def carry(self, key: str) -> None:
        """Copies one object, with the tarballs it names, unless it is there already."""
        try:
            stored = self.source.read(key)
        except Missing:  # removed meanwhile
            return
        there = _find(self.destination, key)
        if there is not None and there.data == stored.data:
            self.progress.count("unchanged")
            return
        if there is not None:
            self._check_descent(key, stored.data, there.data)
        if locate(key).kind is not RECORD:
            self._write(key, stored.data, there)
            return
        stored = self._carry_contents(key, stored)
        self._write(key, stored.data, there)
        if there is not None and not self.dry_run:
            self._remove_parts(_Package.of(key), decode(there.data).parts - decode(stored.data).parts)

    def _carry_contents(self, key: str, stored: Stored) -> Stored:
        """Copies the parts and tarballs that a record names; returns the record for which all are there now."""
        while True:
            try:
                self._carry_once(_Package.of(key), stored.data)
                return stored
            except (Missing, PartMissing) as error:
                again = self.source.read(key)
                if again.revision == stored.revision:
                    raise _damaged(key) from error
                stored = again  # changed meanwhile
            except (documents.UnreadableObject, ValueError, KeyError, TypeError) as error:
                raise _damaged(key) from error

    def _carry_once(self, package: _Package, data: bytes) -> None:
        record = decode(data)
        for part in record.parts:
            self._carry_part(package, part)
        whole = uncached(home(self.source, package.org)).completed(parse_name(package.name), record)
        versions = whole.packument["versions"] if whole.packument else {}
        for version, entry in whole.tarballs.items():
            self._carry_tarball(package.key(TARBALL, entry["key"]), versions[version]["dist"]["integrity"])

    def _remove_parts(self, package: _Package, parts: Iterable[str]) -> None:
        """Removes parts that the record in the destination no longer names."""
        for part in parts:
            with suppress(Missing):
                self.destination.delete(package.key(PART, part))

    def _carry_part(self, package: _Package, part: str) -> None:
        """Copies one part, unless it is there. Raises `PartMissing`."""
        with suppress(PartMissing, documents.UnreadableObject):
            read_part(home(self.destination, package.org), package.name, part)
            self.progress.count("unchanged")
            return
        data, key = read_part(home(self.source, package.org), package.name, part), package.key(PART, part)
        self._write(key, data, _find(self.destination, key))

    def _carry_tarball(self, key: str, integrity: str) -> None:
        """Copies one tarball, unless the same bytes are there. Raises `Missing`."""
        with suppress(Missing):
            if _integrity_of(self.destination, key) == integrity:
                self.progress.count("unchanged")
                return
            if not self.dry_run:
                self.destination.delete(key)  # what a broken disk made of it
        if self.dry_run:
            self.progress.count("tarballs to copy")
            return
        with self.source.open(key) as stream:
            data = stream.read()
        with suppress(Exists):
            self.destination.create(key, data)
        if _integrity_of(self.destination, key) != integrity:
            raise StorageUnavailable(f"The tarball {key} is damaged in the source: run 'nproxy-mw check' on it.")
        self.progress.count("tarballs copied")

    def _write(self, key: str, data: bytes, there: Stored | None) -> None:
        """Writes one object, and reads it back."""
        if self.dry_run:
            self.progress.count("objects to copy")
            return
        try:
            if there is None:
                self.destination.create(key, data)
            else:
                self.destination.replace(key, data, there.revision)
        except (Exists, Changed) as error:
            raise Conflict("Somebody else writes to the destination: stop that first.", code="not-a-copy") from error
        if sha256(self.destination.read(key).data).digest() != sha256(data).digest():
            raise StorageUnavailable(f"The destination returned other bytes of {key} than were written.")
        self.progress.count("objects copied")

    def _check_descent(self, key: str, ours: bytes, theirs: bytes) -> None:
        """Passes when the source's object may replace the destination's: its chain continues the other's.

        Raises:
            Conflict: the destination was changed on its own.
        """
        kind = locate(key).kind
        if kind is RECORD:
            package = _Package.of(key)
            old = chain_of(home(self.destination, package.org), package.name, theirs)
            continues = chain_of(home(self.source, package.org), package.name, ours)[: len(old)] == old
        elif kind in (CHAIN, SEGMENT):
            continues = _continues(key, ours, theirs)
        else:
            return
        if not continues:
            raise Conflict(
                f"The destination was changed on its own since it was copied: {key} records more there than in the "
                "source. Copy to an empty place.",
                code="not-a-copy",
            )

    def remove_stale(self) -> None:
        """Removes what lets people in and is no longer in the source."""
        for key in self.destination.list():
            if locate(key).kind.mirrored and _find(self.source, key) is None:
                if not self.dry_run:
                    self.destination.delete(key)
                self.progress.count("removed")


def _find(storage: Storage, key: str) -> Stored | None:
    """Returns the object, or None."""
    try:
        return storage.read(key)
    except Missing:
        return None


def _integrity_of(storage: Storage, key: str) -> str:
    """Returns the integrity of a stored object's bytes, read in pieces. Raises `Missing`."""
    digest = hashlib.sha512()
    with storage.open(key) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return f"sha512-{base64.b64encode(digest.digest()).decode()}"


def _continues(key: str, ours: bytes, theirs: bytes) -> bool:
    """Returns whether a segment of the administration's chain continues another one of the same key."""
    try:
        old, new = orjson.loads(theirs), orjson.loads(ours)
        # A segment continues in the next one, which has a higher number.
        return bool(new.get("number", 0) > old.get("number", 0) or new["chain"][: len(old["chain"])] == old["chain"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(key) from error


def _damaged(key: str) -> StorageUnavailable:
    """Returns what is raised for an object that cannot be understood."""
    return StorageUnavailable(f"The object {key} is damaged: run 'nproxy-mw check' on both places.")


def origin_of(url: str) -> str:
    """Returns the one spelling of a storage's URL, by which a copy names its source."""
    folder = local_folder(url)
    return url.rstrip("/") if folder is None else f"file://{folder.resolve()}"
