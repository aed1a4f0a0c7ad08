"""The tarballs of the cache: found, or fetched, verified, kept, and streamed to clients while they come in.

*Strategy:* one process of the host leads the fetch of a tarball: the one that gets its lock. A small tarball is read
whole, verified and kept before it is served. A large one is written to a file in the spool folder by a thread of its
own, and every client that asks for it, of any process, follows that growing file. It waits `WHOLE_FIRST` for the whole,
so that a refusal can still be said; then the bytes flow as they come, and the last of them are held back until the
whole is verified. Then the file is moved into the storage in one step, so half a tarball is never found there. A leader
that is killed loses its lock; the next request finds it free and the tarball not kept, and leads anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, TypeAlias

from nproxy_mw.errors import Busy, Missing, NproxyError, RangeNotSatisfiable, StorageUnavailable, UpstreamUnavailable
from nproxy_mw.grounds import Look
from nproxy_mw.npm.documents import Blob, ByteRange, Part
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.slices import Members, as_text, members_of
from nproxy_mw.npm.tarballs import Whole
from nproxy_mw.upstream.growing import Growing, HostLock, lock_of
from nproxy_mw.upstream.tarball_store import LOOK, TarballStore, key_of
from nproxy_mw.upstream.verifying import Digest, Verifier, digest_of, verified

INLINE = 1024 * 1024
"""Bytes up to which a tarball is read whole before it is served."""

PATIENCE = 60.0  # seconds that a follower waits for the first byte
WHOLE_FIRST = 1.0
"""Seconds that a client waits for a large tarball to be whole before it gets the first byte. All clients wait 30."""

_log = logging.getLogger(__name__)

OpenUpstream = Callable[[], Blob]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tarball that is asked for, and what it must be by the packument. Without a *digest* it is not kept.

    *manifest* is what the packument says of its version.
    """

    name: Name
    filename: str
    digest: Digest | None
    manifest: Members = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> str:
        """Where the tarball is kept."""
        return key_of(self.name, self.filename)


def wanted(name: Name, filename: str, manifest: Members) -> Wanted:
    """Returns the tarball of the version that *manifest* describes."""
    dist = members_of(manifest["dist"])
    digest = digest_of(as_text(dist.get("integrity")), as_text(dist.get("shasum")))
    return Wanted(name, filename, digest, manifest)


Arrived: TypeAlias = Callable[[Wanted, Whole], None]
"""Called with each tarball that was fetched and verified, and all its bytes."""


def no_look(tarball: Wanted, data: Whole) -> None:
    """The `Arrived` that does nothing."""


class Tarballs:
    """Tarballs that are kept in *store*. *spool* is a folder of this host for what is under way. *arrived* is called
    with each one that was fetched and verified, before it is kept and before a client gets its last byte; it raises
    nothing. *whole_first*: see `WHOLE_FIRST`.
    """

    def __init__(
        self,
        store: TarballStore,
        spool: Path,
        *,
        arrived: Arrived = no_look,
        whole_first: float = WHOLE_FIRST,
    ) -> None:
        self.store = store
        self.spool = spool
        self.arrived = arrived
        self.whole_first = whole_first

    def find(self, name: Name, filename: str, part: ByteRange | None) -> Blob | None:
        """Opens a kept tarball, or returns None.

        Raises:
            RangeNotSatisfiable: it has no such part.
            StorageUnavailable: the storage cannot be read just now.
        """
        try:
            return self.store.open(key_of(name, filename), part)
        except Missing:
            return None

    def found_again(self, name: Name, filename: str, found: Blob) -> Look | None:
        """Returns the look whether a tarball is still kept as it was *found*; None where nobody can tell."""
        return self.store.look_at(key_of(name, filename), found.file)

    @property
    def look(self) -> int:
        """The `LOOK` that this takes into each tarball; 0 where nobody looks."""
        return 0 if self.arrived is no_look else LOOK

    def needs_look(self, name: Name, filename: str) -> bool:
        """Whether a tarball that was found was kept before anybody looked into it."""
        return self.look > 0 and not self.store.was_looked_into(key_of(name, filename))

    def look_into(self, tarball: Wanted) -> None:
        """Hands a tarball that is kept to *arrived*, once for all processes of the host.

        Raises:
            Missing: it is not kept any more.
            StorageUnavailable, Busy: it cannot be read, or that it was looked into cannot be noted.
            OSError: the spool folder cannot be used.
        """
        lock = HostLock.take(lock_of(self._spooled(tarball)), waits=True)
        try:
            if not self.store.was_looked_into(tarball.key, current=True):
                with self.store.open(tarball.key, None) as blob:
                    self.arrived(tarball, _mapped(blob.file) or b"".join(blob))
                    self.store.looked_into(tarball.key, blob.size or 0, tarball.digest)
        finally:
            if lock is not None:
                lock.release()

    def fetch(self, tarball: Wanted, open_upstream: OpenUpstream, part: ByteRange | None) -> Blob:
        """Fetches a tarball and keeps it, or follows the process that is fetching it.

        Raises:
            UpstreamUnavailable: the upstream failed, or its bytes are not what the packument promises.
            Busy: another process has been fetching it for long, and nothing came.
        """
        if tarball.digest is None:
            return self._passed(tarball, open_upstream())
        file = self._spooled(tarball)
        try:
            lock = self._lead_or_follow(tarball, file)
        except OSError as error:  # a full or read-only disk keeps nothing, and serves all the same
            _log.warning("the cache's spool folder cannot be used: %s", error)
            return self._passed(tarball, open_upstream())
        if isinstance(lock, HostLock):
            return self._led(tarball, open_upstream, part, file, lock)
        return lock if part is None else self._part_of(tarball, lock, part)

    def _spooled(self, tarball: Wanted) -> Path:
        return self.spool / blake2b(tarball.key.encode(), digest_size=16).hexdigest()  # its lock is one of 4096

    def _lead_or_follow(self, tarball: Wanted, file: Path) -> HostLock | Blob:
        """The lock, when this request is to lead; otherwise the blob that comes of following."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lock = HostLock.take(lock_of(file))
            if lock is not None:
                return lock
            with suppress(Missing):
                return self.store.open(tarball.key, None)
            growing = Growing.follow(file)
            if growing is not None:
                blob = growing.followed(tarball.digest)
                growing.settle(self.whole_first)
                return _begun(blob)
            time.sleep(0.01)
        raise Busy("Another request has been fetching this tarball for long: try again.", code="upstream-busy")

    def _led(
        self, tarball: Wanted, open_upstream: OpenUpstream, part: ByteRange | None, file: Path, lock: HostLock
    ) -> Blob:
        try:
            blob = self.find(tarball.name, tarball.filename, part)  # kept between the first look and the lock
            if blob is not None:
                lock.release()
                return blob
            upstream = open_upstream()
        except BaseException:
            lock.release()
            raise
        if upstream.size is not None and upstream.size <= INLINE:
            return self._read_whole(tarball, upstream, open_upstream, part, lock)
        growing = Growing.begin(file, upstream.size)
        blob = growing.blob(tarball.digest)  # before the writer, which closes the file, can be done
        self.store.make_room(upstream.size or 0)
        writer = threading.Thread(
            target=self._write, args=(tarball, upstream, growing, lock), name="fetch", daemon=True
        )
        writer.start()
        writer.join(self.whole_first)
        return _begun(blob) if part is None else self._part_of(tarball, blob, part)

    def _read_whole(
        self, tarball: Wanted, upstream: Blob, open_upstream: OpenUpstream, part: ByteRange | None, lock: HostLock
    ) -> Blob:
        try:
            data = _bytes_of(tarball, upstream, open_upstream)
            self.arrived(tarball, data)
            try:
                self.store.create(tarball.key, data, tarball.digest, look=self.look)
            except (StorageUnavailable, Busy) as error:  # a full disk: served all the same
                _log.warning("a tarball was not kept: %s", error)
        finally:
            lock.release()
        return in_memory(data, tarball.digest, part)

    def _write(self, tarball: Wanted, upstream: Blob, growing: Growing, lock: HostLock) -> None:
        """Runs in a thread of its own: writes the growing file, verifies it, and moves it into the storage."""
        try:
            verifier = Verifier(tarball.digest, upstream.size)
            with upstream:
                for chunk in upstream:
                    verifier.feed(chunk)
                    growing.write(chunk)
            verifier.finish()
            self._read_file(tarball, growing.path)
            self.store.adopt(tarball.key, growing.path, tarball.digest, look=self.look)
            growing.finish()
        except (NproxyError, OSError) as error:
            _log.warning("the tarball %s of %s was not kept: %s", tarball.filename, tarball.name, error)
            growing.fail(str(error))
        finally:
            lock.release()

    def _read_file(self, tarball: Wanted, path: Path) -> None:
        """Hands what lies at *path* to *arrived*."""
        with path.open("rb") as file:
            self.arrived(tarball, _mapped(file) or b"")

    def _passed(self, tarball: Wanted, upstream: Blob) -> Blob:
        """Streams a tarball through without keeping it; verified all the same where its digest is known."""
        verifier = Verifier(tarball.digest, upstream.size)
        return Blob(verified(upstream, verifier), size=upstream.size, etag=upstream.etag, close=upstream.close)

    def _part_of(self, tarball: Wanted, whole: Blob, part: ByteRange) -> Blob:
        """Reads a tarball that is being fetched to its end, and opens the part: it is kept then."""
        with whole:
            for _ in whole:
                pass
        return self.store.open(tarball.key, part)


def _mapped(file: BinaryIO | None) -> Whole | None:
    """Returns what is in a file on a disk; None for another one, or an empty one. It ends with the last view of it."""
    try:
        return mmap(file.fileno(), 0, access=ACCESS_READ) if file is not None else None
    except (OSError, ValueError):
        return None


def _begun(blob: Blob) -> Blob:
    """Returns *blob* once its first bytes are there: if they never come, that can still be said."""
    chunks = iter(blob)
    try:
        first = next(chunks, b"")
    except BaseException:
        blob.close()
        raise
    return blob.through(chain([first], chunks))


def _bytes_of(tarball: Wanted, upstream: Blob, open_upstream: OpenUpstream) -> bytes:
    """Returns all bytes of a small tarball. It is asked for once more when they broke off or are wrong."""
    try:
        return _verified_bytes(tarball, upstream)
    except UpstreamUnavailable:
        second = open_upstream()
        if second.size is None or second.size > INLINE:
            second.close()
            raise
        return _verified_bytes(tarball, second)


def _verified_bytes(tarball: Wanted, upstream: Blob) -> bytes:
    with upstream:
        return b"".join(verified(upstream, Verifier(tarball.digest, upstream.size)))


def in_memory(data: bytes, digest: Digest | None, part: ByteRange | None) -> Blob:
    """Returns a blob of *data*, or of a part of it."""
    if part is None:
        return Blob(iter([data]), size=len(data), integrity=str(digest or ""))
    place = part.within(len(data))
    if place is None:
        raise RangeNotSatisfiable("The tarball has no such range.", content_range=f"bytes */{len(data)}")
    first, last = place
    of_whole = Part(first, last, len(data))
    return Blob(iter([data[first : last + 1]]), size=last - first + 1, part=of_whole, integrity=str(digest or ""))
