"""The internal packages of one organisation: publish, read, unpublish, tag, deprecate. Knows no HTTP.

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
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO, NoReturn

from nproxy_mw import events, signing
from nproxy_mw.access import Actor
from nproxy_mw.errors import Busy, Changed, Conflict, Exists, Missing, NotFound, NproxyError
from nproxy_mw.events import Clock, utc_now
from nproxy_mw.locks import Locks, ThreadLocks
from nproxy_mw.npm import packuments
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.packuments import Json
from nproxy_mw.npm.publication import Publication
from nproxy_mw.npm.releases import release
from nproxy_mw.records import PREFIX, Record, decode, encode, record_key, record_name, tarball_key
from nproxy_mw.signing import Signer
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.remembered import Remembered

_log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often one change is tried as a whole: read, change, swap."""
LOCK_SECONDS = 15.0

Change = Callable[[Record, datetime], tuple[Record, Sequence[Json]]]
"""A pure step from one record to the next, and the events that tell of it."""


@dataclass(frozen=True, slots=True)
class Tarball:
    """A stored tarball, open for reading. Whoever was given it closes *stream*."""

    stream: BinaryIO
    size: int  # bytes
    integrity: str


class Packages:
    """The internal packages on one organisation's storage.

    If *locks* is None, writers of this process alone are ordered. *signers* are asked at each publish; *index* is
    handed the events of each change after it is stored, and may fail without harm.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        locks: Locks | None = None,
        signers: Callable[[], Sequence[Signer]] = tuple,
        index: Callable[[Sequence[Json]], None] = lambda _: None,
        org: str = "default",
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.locks = locks or ThreadLocks()
        self.signers = signers
        self.index = index
        self.org = org
        self.clock = clock
        self._records = Remembered(storage, decode)

    def read(self, name: Name) -> tuple[Json, Revision]:
        """The packument, without tarball URLs, and the revision of the record it stands in.

        Raises:
            NotFound: there is no such package, or it is unpublished.
        """
        record, revision = self.record(name)
        if record.packument is None:
            _absent()
        return {**record.packument, "_rev": record.revision}, revision

    def record(self, name: Name) -> tuple[Record, Revision]:
        """The whole stored record.

        Raises:
            NotFound: nothing was ever published under that name.
        """
        try:
            return self._records.get_with_revision(record_key(name))
        except Missing:
            _absent()

    def names(self) -> Iterator[Name]:
        """Every package that can be read, in the order of their names."""
        keys = (key for key in self.storage.list(PREFIX) if key.endswith("/record.json"))
        for name in sorted(map(record_name, keys)):
            with suppress(NotFound):
                self.read(name)
                yield name

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
            stream = self.storage.open(tarball_key(name, entry["key"]))
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
            packuments.check_free(version, self.record(name)[0].taken)
        file = f"{hashlib.sha512(publication.tarball).hexdigest()[:32]}-{secrets.token_hex(4)}.tgz"
        self.storage.create(tarball_key(name, file), publication.tarball)
        signers = self.signers()
        signatures = signing.signatures(str(name), version, publication.integrity, signers) if signers else {}
        entry = {"key": file, "size": len(publication.tarball)}

        def add(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packuments.check_free(version, record.taken)
            told = [self._event("package.published", actor, now, package=str(name), version=version)]
            told += [
                self._event("package.signed", actor, now, package=str(name), version=version, keyId=signer.key_id)
                for signer in signers
            ]
            packument = release(record.packument, publication, actor.name, signatures, now)
            return replace(record, packument=packument, tarballs={**record.tarballs, version: entry}), told

        try:
            self._change(name, add)
        except NproxyError:
            # After an error of the storage the swap may have been written all the same: only a definite refusal
            # makes the bytes an orphan. What is left behind is found by `nproxy-mw gc`.
            if not self._names_tarball(name, version, file):
                self._remove(name, [file])
            raise

    def unpublish(self, name: Name, revision: str, actor: Actor) -> None:
        """Removes the package: the packument first, then every tarball. Its version numbers are never given again.

        Raises:
            NotFound: there is no such package.
            Conflict: it was changed since *revision* was read.
        """
        gone: list[str] = []

        def forget(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            _check_revision(record, revision)
            gone[:] = [entry["key"] for entry in record.tarballs.values()]
            told = [self._event("package.unpublished", actor, now, package=str(name))]
            return replace(record, packument=None, tarballs={}, burnt=record.taken), told

        self._change(name, forget)
        self._remove(name, gone)

    def unpublish_versions(self, name: Name, versions: frozenset[str], revision: str, actor: Actor) -> None:
        """Removes some versions of several, their bytes after the record forgot them.

        Raises:
            NotFound, Conflict: see `unpublish`.
        """
        gone: list[str] = []

        def forget(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packument = _check_revision(record, revision)
            gone[:] = [entry["key"] for version, entry in record.tarballs.items() if version in versions]
            kept = {version: entry for version, entry in record.tarballs.items() if version not in versions}
            told = [
                self._event("package.unpublished", actor, now, package=str(name), version=version)
                for version in sorted(versions)
            ]
            packument = packuments.without_versions(packument, versions, now)
            return replace(record, packument=packument, tarballs=kept, burnt=record.burnt | versions), told

        self._change(name, forget)
        self._remove(name, gone)

    def tag(self, name: Name, tag: str, version: str, actor: Actor) -> None:
        """Points a dist-tag at a version. Raises `NotFound`, `BadRequest` (not a tag)."""

        def point(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packument = packuments.with_tag(_present(record), tag, version, now)
            told = self._event("package.tagged", actor, now, package=str(name), tag=tag, version=version)
            return replace(record, packument=packument), [told]

        self._change(name, point)

    def untag(self, name: Name, tag: str, actor: Actor) -> None:
        """Removes a dist-tag. Raises `NotFound`, `BadRequest` (``latest`` stays)."""

        def drop(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packument = packuments.without_tag(_present(record), tag, now)
            return replace(record, packument=packument), [
                self._event("package.untagged", actor, now, package=str(name), tag=tag)
            ]

        self._change(name, drop)

    def deprecate(self, name: Name, messages: dict[str, str], revision: str, actor: Actor) -> None:
        """Sets each version's deprecation message; an empty one takes it away.

        Raises:
            NotFound, Conflict: see `unpublish`.
        """

        def mark(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packument = packuments.with_deprecations(_check_revision(record, revision), messages, now)
            told = self._event("package.deprecated", actor, now, package=str(name), versions=sorted(messages))
            return replace(record, packument=packument), [told]

        self._change(name, mark)

    def sign(self, name: Name, actor: Actor) -> list[str]:
        """Signs the versions that have no signature, as those from before there were keys. Answers which.

        Raises:
            NotFound: there is no such package.
        """
        signers = self.signers()
        signed: list[str] = []

        def complete(record: Record, now: datetime) -> tuple[Record, Sequence[Json]]:
            packument = _present(record)
            added = unsigned(packument, signers)
            signed[:] = added
            told = [
                self._event("package.signed", actor, now, package=str(name), version=version, keyId=signer.key_id)
                for version in added
                for signer in signers
            ]
            return replace(record, packument={**packument, "versions": {**packument["versions"], **added}}), told

        if unsigned(self.read(name)[0], signers):
            self._change(name, complete)
        return signed

    def _change(self, name: Name, change: Change) -> None:
        """Reads, changes and swaps the record, at most `ATTEMPTS` times, then tells of it."""
        key = record_key(name)
        with self.locks.hold(f"{self.org}/{name}", LOCK_SECONDS):
            for _ in range(ATTEMPTS):
                record, revision = self._stored(key)
                changed, told = change(record, self.clock())
                chain = events.extend(record.chain, told)
                data = encode(record.next(changed, chain))
                try:
                    if revision is None:
                        self.storage.create(key, data)
                    else:
                        self.storage.replace(key, data, revision)
                except (Exists, Changed):
                    continue
                break
            else:
                raise Busy(f"Others changed this package {ATTEMPTS} times meanwhile; nothing is stored. Try again.")
        self._tell(chain[len(record.chain) :])

    def _stored(self, key: str) -> tuple[Record, Revision | None]:
        try:
            stored = self.storage.read(key)
        except Missing:
            return Record(), None
        return decode(stored.data), stored.revision

    def _tell(self, told: Sequence[Json]) -> None:
        try:
            self.index(told)
        except NproxyError:
            # The events are safe in the record; the index is derived from it and repaired by `nproxy-mw check`.
            _log.warning("events of %s are not indexed yet", told[0].get("package"), exc_info=True)

    def _event(self, kind: str, actor: Actor, now: datetime, **fields: object) -> Json:
        return events.new_event(kind, org=self.org, actor=actor, time=now, **fields)

    def _names_tarball(self, name: Name, version: str, file: str) -> bool:
        """Whether the record names *file*, also when that cannot be told just now."""
        try:
            record, _ = self._stored(record_key(name))
        except NproxyError:
            return True
        return bool(record.tarballs.get(version, {}).get("key") == file)

    def _remove(self, name: Name, files: Sequence[str]) -> None:
        """Removes bytes that no record names any more. What cannot be removed is an orphan for `nproxy-mw gc`."""
        for file in files:
            try:
                self.storage.delete(tarball_key(name, file))
            except NproxyError:
                _log.warning("a tarball of %s is left behind", name, exc_info=True)


def _absent() -> NoReturn:
    raise NotFound("There is no such package in this registry.", code="package-not-found")


def _present(record: Record) -> Json:
    if record.packument is None:
        _absent()
    return record.packument


def _check_revision(record: Record, revision: str) -> Json:
    packument = _present(record)
    if revision != record.revision:
        raise Conflict("The package was changed since you read it: read it again and repeat.", code="stale-revision")
    return packument


def unsigned(packument: Json, signers: Sequence[Signer]) -> dict[str, Json]:
    """The manifests that have no signature, each with those of *signers*."""
    return {
        version: {
            **manifest,
            "dist": {
                **manifest["dist"],
                **signing.signatures(packument["name"], version, manifest["dist"]["integrity"], signers),
            },
        }
        for version, manifest in packument["versions"].items()
        if not manifest["dist"].get("signatures")
    }
