"""The internal packages of one organization: publish, read, unpublish, tag, deprecate. Knows no HTTP.

Rules this module keeps:

- the tarball is stored before the record names it, and removed after the record no longer does: no reader meets a
  record that names missing bytes;
- a change is one compare-and-swap of the record, with the audit events of the change inside;
- a lock orders the writers of one host, so that they rarely lose; the swap decides, so that nobody overwrites;
- nothing is refused because of a state that was remembered: before that, the storage itself is asked.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import BinaryIO, TypeAlias

from nproxy_mw import signing
from nproxy_mw.access import Actor
from nproxy_mw.audit import events
from nproxy_mw.audit.events import Stamp
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.packuments import check_free
from nproxy_mw.npm.publication import Publication
from nproxy_mw.packages import changes
from nproxy_mw.packages.changes import RecordChange
from nproxy_mw.packages.record import Record, decode, encode
from nproxy_mw.signing import Signer
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import RECORD, TARBALL
from nproxy_mw.storage.locks import Locks, ThreadLocks
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.storage.swaps import Swap

_log = logging.getLogger(__name__)

LOCK_SECONDS = 15.0
"""How long a change waits for others of the same package on this host."""

RecordStep: TypeAlias = Callable[[Record, datetime], RecordChange]


@dataclass(frozen=True, slots=True)
class OpenTarball:
    """A stored tarball, open for reading. Its receiver closes *stream*."""

    stream: BinaryIO
    size: int  # bytes
    integrity: str


class PackageStore:
    """The internal packages on *storage*, one organization's own, whose changes *trail* records.

    If *locks* is None, only the writers of this process are ordered. *signers* are asked for at each publish. *changed*
    is told of each change that was stored: the name, the record, and its revision unless the answer was lost. It raises
    nothing.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        trail: Trail,
        locks: Locks | None = None,
        signers: Callable[[], Sequence[Signer]] = tuple,
        changed: Callable[[Name, Record, Revision | None], None] = lambda *_: None,
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.org = trail.org
        self.locks = locks or ThreadLocks()
        self.signers = signers
        self.changed = changed
        self._records = RevisionCache(storage, decode)

    def read(self, name: Name, *, for_write: bool = False) -> tuple[Json, Revision]:
        """Returns the packument, without tarball URLs, and the storage revision of its record.

        *for_write* asks for it as it is this moment: what is about to be changed must not be a little old.

        Raises:
            NotFound: there is no such package, or it is unpublished.
        """
        record, revision = self.record(name, current=for_write)
        if record.packument is None and not for_write:
            record, revision = self.record(name, current=True)
        return {**changes.present(record), "_rev": record.revision}, revision

    def record(self, name: Name, *, current: bool = False) -> tuple[Record, Revision]:
        """Returns the whole stored record; *current*: as it is this moment.

        Raises:
            NotFound: nothing was ever published under that name.
        """
        try:
            return self._records.get_with_revision(RECORD.key(name), current=current)
        except Missing:
            changes.absent()

    def names(self) -> Iterator[Name]:
        """Yields every package that can be read, in the order of their names.

        One that cannot be read because its record is damaged is logged, and the others are listed all the same.
        """
        for name in sorted(map(parse_name, RECORD.names(self.storage))):
            try:
                self.read(name)
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

    def publish(self, publication: Publication, actor: Actor) -> None:
        """Stores a version: its bytes first, then the record that names them.

        Raises:
            Conflict: the version exists, or existed once.
            Busy: every attempt lost its race; nothing is stored.
            StorageUnavailable: the storage failed. The version may have been stored.
        """
        name, version = publication.name, publication.version
        # Before the bytes are stored. A number that is unavailable stays so, even if the record is a little old.
        with suppress(NotFound):
            check_free(version, self.record(name)[0].unavailable)
        signers = self.signers()
        file = f"{hashlib.sha512(publication.tarball).hexdigest()[:32]}-{secrets.token_hex(4)}.tgz"
        step = partial(
            changes.publish,
            publication=publication,
            publisher=actor.name,
            tarball={"key": file, "size": len(publication.tarball)},
            signatures=signing.signatures(str(name), version, publication.integrity, signers) if signers else {},
            key_ids=[signer.key_id for signer in signers],
        )
        self.storage.create(TARBALL.key(name, file), publication.tarball)
        try:
            self._change(name, step, actor)
        except StorageUnavailable:
            # The swap may have been written all the same, or be written yet: a request can outlive the wait for its
            # answer. So the bytes stay, and if no record ever names them, `nproxy-mw gc` finds them.
            raise
        except NproxyError:
            self._remove(name, [file])
            raise

    def unpublish(self, name: Name, revision: str, actor: Actor) -> None:
        """Removes the package: the packument first, then every tarball. Its version numbers are never given again.

        Raises:
            NotFound: there is no such package.
            Conflict: it was changed since *revision* was read.
        """
        self._change(name, partial(changes.unpublish, revision=revision), actor)

    def unpublish_versions(self, name: Name, versions: frozenset[str], revision: str, actor: Actor) -> None:
        """Removes some versions of several, their bytes after the record. Raises as `unpublish` does."""
        self._change(name, partial(changes.unpublish_versions, versions=versions, revision=revision), actor)

    def tag(self, name: Name, tag: str, version: str, actor: Actor) -> None:
        """Points a dist-tag at a version. Raises `NotFound`, `BadRequest` (not a tag)."""
        self._change(name, partial(changes.tag, name=tag, version=version), actor)

    def untag(self, name: Name, tag: str, actor: Actor) -> None:
        """Removes a dist-tag. Raises `NotFound`, `BadRequest` (``latest`` stays)."""
        self._change(name, partial(changes.untag, name=tag), actor)

    def deprecate(self, name: Name, messages: Mapping[str, str], revision: str, actor: Actor) -> None:
        """Sets each version's deprecation message; an empty one removes it. Raises as `unpublish` does."""
        self._change(name, partial(changes.deprecate, messages=messages, revision=revision), actor)

    def sign(self, name: Name, actor: Actor) -> list[str]:
        """Signs the versions that have no signature, such as those from before there were keys; returns which.

        Raises:
            NotFound: there is no such package.
        """
        versions = self.read(name)[0]["versions"]
        unsigned = [version for version, manifest in versions.items() if not manifest["dist"].get("signatures")]
        if unsigned:
            self._change(name, partial(changes.sign, signers=self.signers()), actor)
        return unsigned

    def _change(self, name: Name, step: RecordStep, actor: Actor) -> None:
        """Swaps the record for what *step* makes of it, then removes what it no longer names and indexes its events."""
        key = RECORD.key(name)
        with self.locks.hold(f"{self.org}/{name}", LOCK_SECONDS):
            change = _ChangedRecord(self.trail.stamp(actor), str(name), step, secrets.token_hex(8))
            swap = Swap(self.storage, key, decode, encode, change.next, change.is_done)
            swap.run(self._remembered(key))
            if swap.written is not None:
                self._records.put(key, change.after, swap.written)
        self._remove(name, change.before.files - change.after.files)
        if change.after is not change.before:
            # The events are safe in the record. The index is derived from it, and completed at the next change.
            self.trail.index(change.after.chain, len(change.before.chain))
            self.changed(name, change.after, swap.written.revision if swap.written else None)

    def _remembered(self, key: str) -> tuple[Record | None, Revision | None]:
        try:
            return self._records.get_with_revision(key)
        except Missing:
            return None, None

    def _opened(self, name: Name, filename: str, *, current: bool) -> OpenTarball | None:
        record, _ = self.record(name, current=current)
        version = filename.removeprefix(f"{name.base}-").removesuffix(".tgz")
        entry = record.tarballs.get(version)
        if entry is None or record.packument is None or filename != name.tarball(version):
            return None
        try:
            stream = self.storage.open(TARBALL.key(name, entry["key"]))
        except Missing:  # unpublished between the two reads
            return None
        return OpenTarball(stream, entry["size"], record.packument["versions"][version]["dist"]["integrity"])

    def _remove(self, name: Name, files: Iterable[str]) -> None:
        """Removes bytes that no record names any more. What cannot be removed is an orphan for `nproxy-mw gc`."""
        for file in files:
            try:
                self.storage.delete(TARBALL.key(name, file))
            except NproxyError:
                _log.warning("a tarball of %s is left behind", name, exc_info=True)


@dataclass(slots=True)
class _ChangedRecord:
    """The attempts of one change of the package *name*. *before* and *after* are those of the last attempt."""

    stamp: Stamp
    name: str
    step: RecordStep
    nonce: str
    before: Record = field(default_factory=Record)
    after: Record = field(default_factory=Record)

    def next(self, before: Record | None) -> Record | None:
        self.before = self.after = before or Record()
        change = self.step(self.before, self.stamp.time)
        if change.after is self.before:
            return None
        new = self.stamp.events(change.facts, package=self.name)
        self.after = self.before.next(change.after, events.extend(self.before.chain, new), self.nonce)
        return self.after

    def is_done(self, found: Record) -> bool:
        return self.stamp.is_in(found.chain)
