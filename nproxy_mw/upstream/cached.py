"""A source that is cached: what the upstream said is kept on a storage of its own, and asked for again when it is old.

- A packument is fresh for *ttl* seconds; then the upstream is asked whether it changed. All processes of a host share
  what one of them learned, at once, and it survives restarts.
- What a client changed through this registry is asked for again at the next read, in every process.
- While the upstream cannot answer, what is kept is served, however old (stale-if-error).
- An upstream that refuses what is kept here is asked again before it is believed (`nproxy_mw.upstream.refusals`).
- A refusal (no such package) is kept for *negative_ttl* seconds, at most a minute.
- A tarball never changes. It is verified against the packument's integrity before it is kept and before its last byte
  reaches a client, and is streamed to clients while it is fetched.
- One process of a host fetches a thing at a time; the others wait for it and find it kept.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b

from nproxy_mw.errors import Busy, NotFound, NproxyError, StorageUnavailable, UpstreamUnavailable
from nproxy_mw.grounds import Witness, each_time, rest_on, vouch
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.forms import pointing_tags
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.storage.port import Storage
from nproxy_mw.upstream.entries import Entries
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.kept_documents import NEGATIVE_TTL, TTL, Asked, Documents
from nproxy_mw.upstream.kept_tarballs import Tarballs, Wanted, wanted
from nproxy_mw.upstream.rooms import WAITING, Room
from nproxy_mw.upstream.targets import version_of_tarball
from nproxy_mw.upstream.verifying import WRONG_BYTES

_log = logging.getLogger(__name__)


class Cached:
    """Keeps what *source* says on *storage*, a storage of its own, and tarballs in *tarballs*.

    *room* bounds the requests that wait for the upstream, or for another request that asks it; if it is None, it has
    `WAITING` places. *now* returns Unix time in seconds. *counts* counts ``hit``, ``miss``, ``revalidated``, ``stale``,
    ``doubted`` and ``negative``.
    """

    def __init__(
        self,
        source: PackageSource,
        storage: Storage,
        *,
        tarballs: Tarballs,
        flights: Flights | None = None,
        room: Room | None = None,
        ttl: float = TTL,
        negative_ttl: float = NEGATIVE_TTL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.source = source
        self.storage = storage
        self.now = now
        self._tarballs = tarballs
        self._room = room or Room(WAITING)
        self._kept = Documents(flights or Flights(), self._room, ttl=ttl, negative_ttl=negative_ttl, now=now)
        self._packuments = Entries(storage, "packuments")
        self._documents = Entries(storage, "documents")

    @property
    def counts(self) -> Counter[str]:
        """What was answered how."""
        return self._kept.counts

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument, kept or fetched. *for_write* asks the upstream unless it was just asked."""
        asked = Asked(self._packuments, str(name), str(name), lambda known: self.source.packument(name, unless=known))
        return self._kept.answer(asked, unless, past=for_write)

    def kept(self, name: Name) -> Document | None:
        """Returns the packument that is kept, however old; None when none is. Nothing is asked, and nothing counted."""
        found = self._packuments.find(str(name))
        if found is None or not found.entry.has_body:
            return None
        return self._packuments.load(str(name), found.entry, str(name))

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the dist-tags of the packument, kept or fetched."""
        document = self.packument(name)
        assert document is not None  # noqa: S101 - no revision was given
        with document.alone():
            return pointing_tags(document.packument)

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Returns keys or attestations, kept or fetched."""
        key = f"{route.kind.name.lower()}-{blake2b(repr(route).encode(), digest_size=16).hexdigest()}"
        asked = Asked(self._documents, key, "", lambda known: self.source.document(route, unless=known))
        return self._kept.answer(asked, unless)

    def changed(self, name: Name) -> None:
        """Notes that what is kept of a packument may be out of date: every process of the host asks for it again."""
        try:
            self._packuments.mark(str(name), self.now())
        except (StorageUnavailable, Busy) as error:
            _log.warning("that %s changed could not be noted: %s", name, error)

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a kept tarball; fetches, verifies and keeps it first when it is not there. See `PackageSource`."""
        blob = self._tarballs.find(name, filename, part)
        if blob is not None:
            self._kept.count("hit", "tarball ")
            if self._tarballs.needs_look(name, filename):
                rest_on(None)
                self._look_into(name, filename)
            rest_on(self._tarballs.found_again(name, filename, blob))
            vouch(Witness.SOURCE)
            each_time(self._count_repeated)
            return blob
        self._kept.count("miss", "tarball ")
        rest_on(None)
        wanted = self._wanted(name, filename)
        try:
            return self._room.opened(
                lambda: self._tarballs.fetch(wanted, lambda: self.source.tarball(name, filename), part)
            )
        except UpstreamUnavailable as error:
            if error.code == WRONG_BYTES:  # or it is the packument that is wrong
                self.changed(name)
            raise

    def _count_repeated(self, environ: object) -> None:
        self._kept.count("hit", "tarball ")

    def _look_into(self, name: Name, filename: str) -> None:
        """Has a kept tarball looked into. Where that is not possible now, it is served, and looked into later."""
        try:
            self._tarballs.look_into(self._wanted(name, filename))
        except (NproxyError, OSError) as error:
            _log.warning("the kept tarball %s of %s could not be looked into: %s", filename, name, error)

    def _wanted(self, name: Name, filename: str) -> Wanted:
        """Returns what the tarball must be, by the packument.

        Raises:
            NotFound: the package has no such version, also after one more look at the upstream.
        """
        version = version_of_tarball(name, filename)
        for past in (False, True):
            document = self.packument(name, for_write=past)
            assert document is not None  # noqa: S101 - no revision was given
            with document.alone():
                manifest = document.manifest(version)
                if manifest is not None:
                    return wanted(name, filename, manifest)
        raise NotFound("The upstream registry has no such tarball.", code="tarball-not-found")
