"""Copies a whole store to another place or back end; may be stopped at any time and run again.

*Strategy:* the destination can be served from the beginning on. Settings go first: a server that knows no internal
scopes would ask the upstream for internal packages. Each package's record goes after its tarballs, as a publish does
it. The audit trail and whatever else there is follow; sessions do not: people sign in again.

What is written is read back and compared. A record that is equal on both sides was written after its tarballs were
compared, so a second run asks nothing more about its package.

A store that is a copy says so under `layout.COPY`, and of what. Only such a one is written over, and only while nobody
has changed it by itself: where a chain of audit events in the destination does not begin the source's, the copy ends.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from hashlib import sha256

import orjson

from nproxy_mw.errors import Changed, Conflict, Exists, Missing, StorageUnavailable
from nproxy_mw.packages.record import decode
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import CHAIN, COPY, RECORD, SEGMENT, TARBALL, Stage, locate
from nproxy_mw.storage.port import Storage, Stored
from nproxy_mw.storage.urls import local_folder
from nproxy_mw.upkeep.parallel import map_ordered
from nproxy_mw.upkeep.progress import Progress

_THREADS = 4  # each holds one tarball, of up to 50 MB
_PIECE = 1024 * 1024  # bytes


def copy(
    source: Storage, destination: Storage, *, origin: str, dry_run: bool = False, progress: Progress | None = None
) -> Progress:
    """Makes *destination* hold what *source* holds; answers what was done. *origin* names the source in its copies.

    With *dry_run*, nothing is written.

    Raises:
        Conflict: the destination holds another store, or was changed by itself.
        StorageUnavailable: one of them cannot be read or written, or gave back other bytes than were written.
    """
    progress = progress or Progress()
    claim(destination, origin, dry_run=dry_run)
    copier = Copier(source, destination, progress, dry_run=dry_run)
    for stage in Stage:
        keys = (key for key in source.list() if locate(key).kind.copied is stage)
        for _ in map_ordered(copier.carry, keys, threads=_THREADS):
            pass
    copier.take_out()
    return progress


def claim(destination: Storage, origin: str, *, dry_run: bool = False) -> None:
    """Marks an empty *destination* as a copy of *origin*. Raises `Conflict` when it is something else."""
    marker = documents.find(destination, COPY.key())
    if marker is None:
        if next(iter(destination.list()), None) is not None:
            raise Conflict("The destination holds another store: give an empty folder or bucket.", code="not-a-copy")
        if not dry_run:
            with suppress(Exists):
                destination.create(COPY.key(), documents.encode({"source": origin}))
            claim(destination, origin, dry_run=True)
    elif marker.get("source") != origin:
        raise Conflict("The destination is a copy of another store: give an empty folder or bucket.", code="not-a-copy")


class Copier:
    """Carries single objects from *source* to *destination*."""

    def __init__(self, source: Storage, destination: Storage, progress: Progress, *, dry_run: bool) -> None:
        self.source = source
        self.destination = destination
        self.progress = progress
        self.dry_run = dry_run

    def carry(self, key: str) -> None:
        """Brings one object over, with the tarballs it names, unless it is there already."""
        try:
            stored = self.source.read(key)
        except Missing:  # removed meanwhile
            return
        there = find(self.destination, key)
        if there is not None and there.data == stored.data:
            self.progress.count("unchanged")
            return
        if there is not None:
            check_descent(key, stored.data, there.data)
        if locate(key).kind is RECORD:
            stored = self.carry_tarballs(key, stored)
        self.write(key, stored.data, there)

    def carry_tarballs(self, key: str, stored: Stored) -> Stored:
        """Brings over the tarballs that a record names; answers the record whose tarballs are all there now."""
        place = locate(key)
        home, (name,) = key.removesuffix(place.key), RECORD.parse(place.key) or ("",)
        while True:
            try:
                record = decode(stored.data)
                versions = record.packument["versions"] if record.packument else {}
                for version, entry in record.tarballs.items():
                    integrity = versions[version]["dist"]["integrity"]
                    self.carry_tarball(home + TARBALL.key(name, entry["key"]), integrity)
                return stored
            except Missing as error:
                again = self.source.read(key)
                if again.revision == stored.revision:
                    raise damaged(key) from error
                stored = again  # unpublished meanwhile
            except (documents.UnreadableObject, ValueError, KeyError, TypeError) as error:
                raise damaged(key) from error

    def carry_tarball(self, key: str, integrity: str) -> None:
        """Brings one tarball over, unless the very bytes are there. Raises `Missing`."""
        with suppress(Missing):
            if integrity_of(self.destination, key) == integrity:
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
        if integrity_of(self.destination, key) != integrity:
            raise StorageUnavailable(f"The tarball {key} is damaged in the source: run 'nproxy-mw check' on it.")
        self.progress.count("tarballs copied")

    def write(self, key: str, data: bytes, there: Stored | None) -> None:
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
            raise Conflict("Somebody else writes to the destination.", code="not-a-copy") from error
        if sha256(self.destination.read(key).data).digest() != sha256(data).digest():
            raise StorageUnavailable(f"The destination gave back other bytes of {key} than were written.")
        self.progress.count("objects copied")

    def take_out(self) -> None:
        """Removes what lets people in and is no longer in the source."""
        for key in self.destination.list():
            if locate(key).kind.mirrored and find(self.source, key) is None:
                if not self.dry_run:
                    self.destination.delete(key)
                self.progress.count("removed")


def find(storage: Storage, key: str) -> Stored | None:
    """The object, or None."""
    try:
        return storage.read(key)
    except Missing:
        return None


def integrity_of(storage: Storage, key: str) -> str:
    """The integrity of a stored object's bytes, read in pieces. Raises `Missing`."""
    digest = hashlib.sha512()
    with storage.open(key) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return f"sha512-{base64.b64encode(digest.digest()).decode()}"


def check_descent(key: str, ours: bytes, theirs: bytes) -> None:
    """Passes when the source's object may go over the destination's: its chain goes on from the other's.

    Raises:
        Conflict: the destination was changed by itself.
    """
    if locate(key).kind not in (RECORD, CHAIN, SEGMENT):
        return
    try:
        old, new = orjson.loads(theirs), orjson.loads(ours)
        # An object of the administration's chain goes on in the next one, which has a higher number.
        goes_on = new.get("number", 0) > old.get("number", 0) or new["chain"][: len(old["chain"])] == old["chain"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(key) from error
    if not goes_on:
        raise Conflict(
            f"The destination was changed by itself since it was copied: {key} tells there of more than in the source. "
            "Copy to an empty place.",
            code="not-a-copy",
        )


def damaged(key: str) -> StorageUnavailable:
    """What ends a copy at an object that cannot be understood."""
    return StorageUnavailable(f"The object {key} is damaged: run 'nproxy-mw check' on both places.")


def origin_of(url: str) -> str:
    """The one spelling of a storage's URL: what a copy remembers of its source."""
    folder = local_folder(url)
    return url.rstrip("/") if folder is None else f"file://{folder.resolve()}"
