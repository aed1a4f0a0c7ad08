"""Changes of the internal packages of one organization: publish, unpublish, tag, deprecate, sign. Knows no HTTP.

Rules this module keeps:

- the tarball is stored before the record names it, and removed after the record no longer does: no reader meets a
  record that names missing bytes;
- a change is one compare-and-swap of the record, with the audit events of the change inside; parts of the record are
  stored before the record that names them, and removed after it no longer does;
- a lock orders the writers of one host, so that they rarely lose; the swap decides, so that nobody overwrites;
- the threads of this process that wait for that lock share one swap; each is told its own outcome;
- nothing is refused because of a state that was remembered: before that, the storage itself is asked.
"""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from nproxy_mw import signing
from nproxy_mw.access import Actor
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import NotFound, NproxyError, StorageUnavailable
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.packuments import check_free
from nproxy_mw.npm.publication import Publication
from nproxy_mw.packages import changes
from nproxy_mw.packages.changing import Needs, PackageChange, RecordedChanges, RecordStep
from nproxy_mw.packages.reading import PackageReader
from nproxy_mw.packages.record import Record
from nproxy_mw.packages.records import every_part, no_part
from nproxy_mw.packages.version_parts import holding
from nproxy_mw.signing import Signer
from nproxy_mw.storage.layout import TARBALL
from nproxy_mw.storage.locks import Locks, ThreadLocks
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.series import in_series, stage
from nproxy_mw.storage.turns import Gather, Turns

_log = logging.getLogger(__name__)

LOCK_SECONDS = 15.0
"""How long a change waits for others of the same package on this host."""


class PackageStore(PackageReader):
    """The internal packages on *storage*, one organization's own, to read and to change. *trail* records changes.

    If *locks* is None, only the writers of this process are ordered. *signers* are asked for at each publish. *changed*
    is told of each change that was stored: the name, the record without its parts, and its revision unless the answer
    was lost. It raises nothing.
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
        super().__init__(storage)
        self.trail = trail
        self.org = trail.org
        self.locks = locks or ThreadLocks()
        self.signers = signers
        self.changed = changed
        self.turns: Turns[PackageChange] = Turns()

    def publish(self, publication: Publication, actor: Actor) -> None:
        """Stores a version: its bytes first, then the record that names them.

        Raises:
            Conflict: the version exists, or existed once.
            Busy: every attempt lost its race; nothing is stored.
            StorageUnavailable: the storage failed. The version may have been stored.
        """
        name, version = publication.name, publication.version
        # Before the bytes are stored. A number that is unavailable stays so, even if the record is old.
        known = self.records.kept(name)
        record, _ = known or self._remembered(name)
        needs = holding(version)
        check_free(version, self.records.unavailable(name, record, needs) if record else frozenset())
        signers = self.signers()
        digest = base64.b64decode(publication.integrity.removeprefix("sha512-"))
        file = f"{digest[:16].hex()}-{secrets.token_hex(4)}.tgz"
        step = partial(
            changes.publish,
            publication=publication,
            publisher=actor.name,
            tarball={"key": file, "size": len(publication.tarball)},
            signatures=signing.signatures(str(name), version, publication.integrity, signers) if signers else {},
            key_ids=[signer.key_id for signer in signers],
        )
        try:
            # On the disk before the lock, in which others wait.
            with in_series(self.storage) as ordered:
                stage(ordered, TARBALL.key(name, file), publication.tarball)
            self._change(name, step, actor, needs=needs, ask=known is not None)
        except StorageUnavailable:
            # The swap may have been written all the same, or be written yet: a request can outlive the wait for its
            # answer. So the bytes stay, and if no record ever names them, `nproxy-mw gc` finds them.
            raise
        except NproxyError:
            self._remove([TARBALL.key(name, file)], self.storage)
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
        self._change(name, partial(changes.tag, name=tag, version=version), actor, needs=holding(version))

    def untag(self, name: Name, tag: str, actor: Actor) -> None:
        """Removes a dist-tag. Raises `NotFound`, `BadRequest` (``latest`` stays)."""
        self._change(name, partial(changes.untag, name=tag), actor, needs=no_part)

    def deprecate(self, name: Name, messages: Mapping[str, str], revision: str, actor: Actor) -> None:
        """Sets each version's deprecation message; an empty one removes it. Raises as `unpublish` does."""
        step = partial(changes.deprecate, messages=messages, revision=revision)
        self._change(name, step, actor, needs=holding(*messages))

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

    def _change(
        self, name: Name, step: RecordStep, actor: Actor, *, needs: Needs = every_part, ask: bool = True
    ) -> None:
        """Makes a change, together with those of the same package that wait for the same lock in this process.

        Unless *ask*, the storage was asked for the record a moment ago.
        """
        change = PackageChange(step, needs, actor)
        deadline = time.monotonic() + LOCK_SECONDS
        self.turns.serve(name, change, LOCK_SECONDS, partial(self._make, name, ask, deadline))
        if change.refusal is not None:
            raise change.refusal

    def _make(self, name: Name, ask: bool, deadline: float, gather: Gather[PackageChange]) -> None:
        """Swaps the record, then removes what it no longer names and indexes the events. Then all is on the disk."""
        with self.trail.dirty.covering() as cover, in_series(self.storage) as ordered:
            with self.locks.hold(f"{self.org}/{name}", max(0.0, deadline - time.monotonic())):
                changes = gather()
                made = RecordedChanges(ordered, self.records, name, changes, self.trail.stamp(changes[0].actor), cover)
                made.run(self._remembered(name) if ask else self.records.kept(name) or (None, None))
            self._remove(made.unnamed(), ordered)
            if made.after is not made.before:
                # The events are safe in the record. The index is derived from it, and completed at the next start.
                self.trail.index(made.chain, len(made.before.chain), storage=ordered)
                self.changed(name, made.stored, made.revision)

    def _remembered(self, name: Name) -> tuple[Record | None, Revision | None]:
        """Returns the record, which may be a little old, and its revision; nothing when there is none."""
        try:
            return self.records.own(name)
        except NotFound:
            return None, None

    def _remove(self, keys: Iterable[str], storage: Storage) -> None:
        """Removes what no record names any more. What cannot be removed is an orphan for `nproxy-mw gc`."""
        for key in keys:
            try:
                storage.delete(key)
            except NproxyError:
                _log.warning("%s is left behind", key, exc_info=True)
