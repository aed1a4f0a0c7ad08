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
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from msgspec.structs import replace

from nproxy_mw.errors import Busy, ClientError, NotFound, ServerError, StorageUnavailable
from nproxy_mw.lru import Lru
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.forms import pointing_tags
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.storage.port import Storage
from nproxy_mw.upstream.entries import UNSTORED, Entries, Entry, Found, refused
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.kept_tarballs import Tarballs, Wanted, wanted
from nproxy_mw.upstream.refusals import patience_for
from nproxy_mw.upstream.targets import version_of_tarball

_log = logging.getLogger(__name__)

TTL = 300.0
NEGATIVE_TTL = 60.0
RECHECK = 5.0
"""Seconds within which a document is not asked for again, even by who asks past what is kept."""

STALE = 10.0
"""Seconds for which what is stale is served before the upstream is tried again."""

SETTLING = 60.0
"""Seconds after a change that passed through here for which the upstream's answers may still be old: registries have
caches of their own. What is read then is asked for again after `RECHECK`."""


class Cached:
    """Keeps what *source* says on *storage*, a storage of its own, and tarballs in *tarballs*.

    *now* returns Unix time in seconds. *counts* counts ``hit``, ``miss``, ``revalidated``, ``stale``, ``doubted``
    and ``negative``.
    """

    def __init__(
        self,
        source: PackageSource,
        storage: Storage,
        *,
        tarballs: Tarballs,
        flights: Flights | None = None,
        ttl: float = TTL,
        negative_ttl: float = NEGATIVE_TTL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.source = source
        self._tarballs = tarballs
        self.ttl = ttl
        self.negative_ttl = min(negative_ttl, NEGATIVE_TTL)
        self.now = now
        self.counts: Counter[str] = Counter()
        self._flights = flights or Flights()
        self._packuments = Entries(storage, "packuments")
        self._documents = Entries(storage, "documents")
        self._known: Lru[str, _Known] = Lru(max_items=50_000)

    def packument(self, name: Name, *, unless: str = "", for_write: bool = False) -> Document | None:
        """Returns the packument, kept or fetched. *for_write* asks the upstream unless it was just asked."""
        asked = _Asked(self._packuments, str(name), str(name), lambda known: self.source.packument(name, unless=known))
        return self._answer(asked, unless, past=for_write)

    def dist_tags(self, name: Name) -> Mapping[str, str]:
        """Returns the dist-tags of the packument, kept or fetched."""
        document = self.packument(name)
        assert document is not None  # noqa: S101 - no revision was given
        with document.alone():
            return pointing_tags(document.packument)

    def document(self, route: Route, *, unless: str = "") -> Document | None:
        """Returns keys or attestations, kept or fetched."""
        key = f"{route.kind.name.lower()}-{blake2b(repr(route).encode(), digest_size=16).hexdigest()}"
        asked = _Asked(self._documents, key, "", lambda known: self.source.document(route, unless=known))
        return self._answer(asked, unless)

    def changed(self, name: Name) -> None:
        """Notes that a client changed the packument, or tried to: every process of the host asks for it again."""
        try:
            self._packuments.mark(str(name), self.now())
        except (StorageUnavailable, Busy) as error:
            _log.warning("that %s changed could not be noted: %s", name, error)

    def _answer(self, asked: _Asked, unless: str, *, past: bool = False) -> Document | None:
        known = self._current(asked)
        if known is None or not self._is_fresh(known, past=past):
            known = self._learned(asked, past=past)
            if known.document is not None:
                return known.document if known.document.revision != unless else None
        else:
            self.counts["negative" if known.found.entry.refusal else "hit"] += 1
        known.found.entry.raise_refusal()
        if known.found.entry.revision == unless:
            return None
        return self._loaded(asked, known.found.entry)

    def _current(self, asked: _Asked) -> _Known | None:
        """What this process knows, or what another one has learned since then."""
        known = self._known.get(asked.id)
        if known is None:
            return None
        found = asked.entries.current(asked.key, known.found)
        if found is known.found:
            return known
        return self._remembered(asked, found)

    def _remembered(self, asked: _Asked, found: Found | None) -> _Known | None:
        if found is None:
            self._known.discard(asked.id)
            return None
        known = _Known(found)
        self._known.put(asked.id, known)
        return known

    def _learned(self, asked: _Asked, *, past: bool) -> _Known:
        """What holds now: as another process has learned meanwhile, or as the upstream says."""
        with self._flights.hold(asked.id):
            known = self._current(asked) or self._remembered(asked, asked.entries.find(asked.key))
            if known is not None and self._is_fresh(known, past=past):
                self.counts["hit"] += 1
                return known
            learned = self._fetched(asked, known.found if known else Found(Entry(), UNSTORED))
            self._known.put(asked.id, learned._replace(document=None))
            return learned

    def _fetched(self, asked: _Asked, kept: Found) -> _Known:
        before, began = kept.entry, self.now()
        try:
            document = asked.checked(before.revision)
        except ClientError as error:
            return self._refused(asked, before, error, began)
        except ServerError as error:
            if not before.has_body:
                raise
            self.counts["stale"] += 1
            _log.info("%s is served as it was %.0f s ago: %s", asked.id, began - before.checked, error)
            # Not noted: another process may be luckier.
            return _Known(kept, stale_until=self.now() + STALE)
        if document is None:
            self.counts["revalidated"] += 1
            return self._noted(asked, replace(before, checked=began, doubted=0.0))
        self.counts["miss"] += 1
        return self._kept(asked, document, began)

    def _refused(self, asked: _Asked, before: Entry, error: ClientError, began: float) -> _Known:
        """What holds after the upstream refused a document that may be kept here."""
        doubted = before.doubted or began
        has_just_changed = began - before.changed < SETTLING
        if before.has_body and not has_just_changed and began - doubted < patience_for(error):
            self.counts["doubted"] += 1
            _log.warning("%s is served although the upstream refuses it now: %s", asked.id, error)
            return self._noted(asked, replace(before, checked=began, doubted=doubted))
        self.counts["negative"] += 1
        return self._noted(asked, refused(error, began))

    def _kept(self, asked: _Asked, document: Document, began: float) -> _Known:
        try:
            found = asked.entries.keep(asked.key, document, began)
        except (StorageUnavailable, Busy):  # a full disk: served all the same
            found = Found(Entry(revision=document.revision), UNSTORED)
        return _Known(found, document=document)

    def _noted(self, asked: _Asked, entry: Entry) -> _Known:
        try:
            found = asked.entries.note(asked.key, entry)
        except (StorageUnavailable, Busy):  # the other processes learn it themselves then
            found = Found(entry, UNSTORED)
        return _Known(found)

    def _loaded(self, asked: _Asked, entry: Entry) -> Document:
        document = asked.entries.load(asked.key, entry, asked.name)
        if document is None:  # evicted, damaged, or replaced by another process
            document = asked.checked("")
            assert document is not None  # noqa: S101 - no condition was set
            with self._flights.hold(asked.id):
                self._known.put(asked.id, self._kept(asked, document, self.now())._replace(document=None))
        return document

    def tarball(self, name: Name, filename: str, part: ByteRange | None = None) -> Blob:
        """Opens a kept tarball; fetches, verifies and keeps it first when it is not there. See `PackageSource`."""
        blob = self._tarballs.find(name, filename, part)
        if blob is not None:
            self.counts["tarball hit"] += 1
            return blob
        self.counts["tarball miss"] += 1
        wanted = self._wanted(name, filename)
        return self._tarballs.fetch(wanted, lambda: self.source.tarball(name, filename), part)

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
                manifest = document.packument.versions.get(version)
                if manifest is not None:
                    return wanted(name, filename, manifest)
        raise NotFound("The upstream registry has no such tarball.", code="tarball-not-found")

    def _is_fresh(self, known: _Known, *, past: bool) -> bool:
        entry, now = known.found.entry, self.now()
        if known.stale_until - STALE <= now < known.stale_until:
            return not past
        return entry.checked > entry.changed and 0 <= now - entry.checked < self._lifetime(entry, past=past)

    def _lifetime(self, entry: Entry, *, past: bool) -> float:
        if past or entry.checked - entry.changed < SETTLING:
            return RECHECK
        if entry.doubted:
            return STALE
        return self.negative_ttl if entry.refusal else self.ttl


class _Known(NamedTuple):
    """What a process knows: the entry that it *found*, and the *document* where it was just fetched.

    If the upstream failed, it is not asked again before *stale_until*.
    """

    found: Found
    stale_until: float = 0.0
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document that is asked for: where it is kept, and how the source is asked for it unless it is at a revision.

    If *name* is not empty, the document is the packument of that package.
    """

    entries: Entries
    key: str
    name: str
    ask: Callable[[str], Document | None]

    def checked(self, unless: str) -> Document | None:
        """Asks the source, and passes on only what can be read. Raises as the source and `Document.packument`."""
        document = self.ask(unless)
        if document is not None:
            document.check()
        return document

    @property
    def id(self) -> str:
        """Names the document among all that are kept."""
        return f"{self.entries.folder}/{self.key}"
