"""The internal packages of one organization: publish, read, unpublish, tag, deprecate. Knows no HTTP.

Rules this module keeps:

- the tarball is stored before the record names it, and removed after the record forgot it: no reader meets a record
  that names bytes that are not there;
- a change is one compare-and-swap of the record, with the audit events that tell of it inside;
- a lock orders the writers of one host, so that they rarely lose; the swap decides, so that nobody overwrites;
- a lost race starts over from reading, `ATTEMPTS` times in all, then it is `Busy` and nothing is stored.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from nproxy_mw import signing
from nproxy_mw.access import Actor
from nproxy_mw.audit import events
from nproxy_mw.errors import Busy, Changed, Exists, Missing, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.npm.names import Name, parse_name
from nproxy_mw.npm.packuments import check_free
from nproxy_mw.npm.publication import Publication
from nproxy_mw.packages import changes
from nproxy_mw.packages.changes import Step, Tell
from nproxy_mw.packages.record import Record, decode, encode
from nproxy_mw.signing import Signer
from nproxy_mw.storage.layout import RECORD, TARBALL
from nproxy_mw.storage.locks import Locks, ThreadLocks
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

_log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often one change is tried as a whole: read, step, swap."""
LOCK_SECONDS = 15.0
_DAMAGED = "A package's record is damaged or of a newer format: run 'nproxy-mw check' and restore it from a backup."


@dataclass(frozen=True, slots=True)
class Tarball:
    """A stored tarball, open for reading. Whoever was given it closes *stream*."""

    stream: BinaryIO
    size: int  # bytes
    integrity: str


class Packages:
    """The internal packages on one organization's storage.

    If *locks* is None, writers of this process alone are ordered. *signers* are asked at each publish; *index* is
    handed each chain that was stored, with the number of events it had before, and raises nothing.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        locks: Locks | None = None,
        signers: Callable[[], Sequence[Signer]] = tuple,
        index: Callable[[Sequence[Json], int], None] = lambda _, __: None,
        org: str = "default",
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.locks = locks or ThreadLocks()
        self.signers = signers
        self.index = index
        self.org = org
        self.clock = clock
        self._records = RevisionCache(storage, _decode)

    def read(self, name: Name, *, for_write: bool = False) -> tuple[Json, Revision]:
        """The packument, without tarball URLs, and the revision of the record it stands in.

        *for_write* asks for it as it is this moment: what is about to be changed must not be a little old.

        Raises:
            NotFound: there is no such package, or it is unpublished.
        """
        if for_write:
            self._records.forget(RECORD.key(name))
        record, revision = self.record(name)
        return {**changes.present(record), "_rev": record.revision}, revision

    def record(self, name: Name) -> tuple[Record, Revision]:
        """The whole stored record.

        Raises:
            NotFound: nothing was ever published under that name.
        """
        try:
            return self._records.get_with_revision(RECORD.key(name))
        except Missing:
            changes.absent()

    def names(self) -> Iterator[Name]:
        """Every package that can be read, in the order of their names."""
        return (name for name, _ in self.all())

    def all(self) -> Iterator[tuple[Name, Json]]:
        """Every package that can be read, with its packument, in the order of their names."""
        for name in sorted(map(parse_name, RECORD.names(self.storage))):
            with suppress(NotFound):
                yield name, self.read(name)[0]

    def open_tarball(self, name: Name, filename: str) -> Tarball:
        """Opens the tarball that *filename* (``utils-1.0.0.tgz``) names.

        Raises:
            NotFound: no version has it.
        """
        record, _ = self.record(name)
        version = filename.removeprefix(f"{name.base}-").removesuffix(".tgz")
        entry = record.tarballs.get(version)
        if entry is None or record.packument is None or filename != name.tarball(version):
            raise NotFound("The package has no such tarball.", code="tarball-not-found")
        try:
            stream = self.storage.open(TARBALL.key(name, entry["key"]))
        except Missing as error:  # unpublished between the two reads
            raise NotFound("The package has no such tarball.", code="tarball-not-found") from error
        return Tarball(stream, entry["size"], record.packument["versions"][version]["dist"]["integrity"])

    def publish(self, publication: Publication, actor: Actor) -> None:
        """Stores a version: its bytes first, then the record that names them.

        Raises:
            Conflict: the version exists, or existed once.
            Busy: every attempt lost its race; nothing is stored.
        """
        name, version = publication.name, publication.version
        with suppress(NotFound):
            check_free(version, self.record(name)[0].taken)
        signers = self.signers()
        signatures = signing.signatures(str(name), version, publication.integrity, signers) if signers else {}
        file = f"{hashlib.sha512(publication.tarball).hexdigest()[:32]}-{secrets.token_hex(4)}.tgz"
        entry = {"key": file, "size": len(publication.tarball)}
        step = changes.publish(publication, actor.name, entry, signatures, signers, self._tell(name, actor))
        self.storage.create(TARBALL.key(name, file), publication.tarball)
        try:
            self._change(name, step)
        except StorageUnavailable:
            # The swap may have been written all the same, or be written yet: a request can outlive the wait for its
            # answer. So the bytes stay, and if no record ever names them, `nproxy-mw gc` finds them.
            raise
        except NproxyError:
            if not self._names_tarball(name, version, file):
                self._remove(name, [file])
            raise

    def unpublish(self, name: Name, revision: str, actor: Actor) -> None:
        """Removes the package: the packument first, then every tarball. Its version numbers are never given again.

        Raises:
            NotFound: there is no such package.
            Conflict: it was changed since *revision* was read.
        """
        self._change(name, changes.unpublish(revision, self._tell(name, actor)))

    def unpublish_versions(self, name: Name, versions: frozenset[str], revision: str, actor: Actor) -> None:
        """Removes some versions of several, their bytes after the record forgot them. Raises as `unpublish` does."""
        self._change(name, changes.unpublish_versions(versions, revision, self._tell(name, actor)))

    def tag(self, name: Name, tag: str, version: str, actor: Actor) -> None:
        """Points a dist-tag at a version. Raises `NotFound`, `BadRequest` (not a tag)."""
        self._change(name, changes.tag(tag, version, self._tell(name, actor)))

    def untag(self, name: Name, tag: str, actor: Actor) -> None:
        """Removes a dist-tag. Raises `NotFound`, `BadRequest` (``latest`` stays)."""
        self._change(name, changes.untag(tag, self._tell(name, actor)))

    def deprecate(self, name: Name, messages: Mapping[str, str], revision: str, actor: Actor) -> None:
        """Sets each version's deprecation message; an empty one takes it away. Raises as `unpublish` does."""
        self._change(name, changes.deprecate(messages, revision, self._tell(name, actor)))

    def sign(self, name: Name, actor: Actor) -> list[str]:
        """Signs the versions that have no signature, as those from before there were keys. Answers which.

        Raises:
            NotFound: there is no such package.
        """
        versions = self.read(name)[0]["versions"]
        unsigned = [version for version, manifest in versions.items() if not manifest["dist"].get("signatures")]
        if unsigned:
            self._change(name, changes.sign(self.signers(), self._tell(name, actor)))
        return unsigned

    def _change(self, name: Name, step: Step) -> None:
        """Reads, steps and swaps, at most `ATTEMPTS` times; then removes what is named no more, and tells of it."""
        with self.locks.hold(f"{self.org}/{name}", LOCK_SECONDS):
            for _ in range(ATTEMPTS):
                before, revision = self._stored(name)
                changed, told = step(before, self.clock())
                after = before.next(changed, events.extend(before.chain, told))
                if self._swap(name, after, revision):
                    break
            else:
                raise Busy(f"Others changed this package {ATTEMPTS} times meanwhile; nothing is stored. Try again.")
        self._remove(name, before.files - after.files)
        # The events are safe in the record; the index is derived from it, and mended at the next change or start.
        self.index(after.chain, len(before.chain))

    def _stored(self, name: Name) -> tuple[Record, Revision | None]:
        try:
            stored = self.storage.read(RECORD.key(name))
        except Missing:
            return Record(), None
        return _decode(stored.data), stored.revision

    def _swap(self, name: Name, after: Record, revision: Revision | None) -> bool:
        """Writes the record if it is still at *revision*. Whether it was."""
        key, data = RECORD.key(name), encode(after)
        try:
            if revision is None:
                self.storage.create(key, data)
            else:
                self.storage.replace(key, data, revision)
        except (Exists, Changed):
            return False
        except StorageUnavailable:
            # The answer was lost, perhaps not the write: the nonce tells.
            if self._stored(name)[0].nonce != after.nonce:
                raise
        return True

    def _tell(self, name: Name, actor: Actor) -> Tell:
        def tell(kind: str, now: datetime, **fields: object) -> Json:
            return events.new_event(kind, org=self.org, actor=actor, time=now, package=str(name), **fields)

        return tell

    def _names_tarball(self, name: Name, version: str, file: str) -> bool:
        """Whether the record names *file*, also when that cannot be told just now."""
        try:
            record, _ = self._stored(name)
        except NproxyError:
            return True
        return bool(record.tarballs.get(version, {}).get("key") == file)

    def _remove(self, name: Name, files: Iterable[str]) -> None:
        """Removes bytes that no record names any more. What cannot be removed is an orphan for `nproxy-mw gc`."""
        for file in files:
            try:
                self.storage.delete(TARBALL.key(name, file))
            except NproxyError:
                _log.warning("a tarball of %s is left behind", name, exc_info=True)


def _decode(data: bytes) -> Record:
    try:
        return decode(data)
    except ValueError as error:
        raise StorageUnavailable(_DAMAGED, code="damaged-object", retry_after=60) from error
