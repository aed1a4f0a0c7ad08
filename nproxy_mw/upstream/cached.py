"""A source that is cached: what the upstream said is kept on a storage of its own, and asked for again when it is old.

- A packument is fresh for *ttl* seconds; then the upstream is asked whether it changed. All processes of a host share
  what one of them learned, and it survives restarts.
- While the upstream cannot answer, what is kept is served, however old (stale-if-error).
- A refusal (no such package) is kept for *negative_ttl* seconds, at most a minute.
- A tarball never changes. It is verified against the packument's integrity before it is kept and before its last byte
  reaches a client, and is streamed to clients while it is fetched.
- One process of a host fetches a thing at a time; the others wait for it and find it kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from nproxy_mw.errors import ClientError, NotFound, ServerError, StorageUnavailable
from nproxy_mw.lru import Lru
from nproxy_mw.npm.documents import Blob, ByteRange, Document
from nproxy_mw.npm.forms import pointing_tags
from nproxy_mw.npm.names import Name
from nproxy_mw.npm.routes import Route
from nproxy_mw.npm.source import PackageSource
from nproxy_mw.storage.port import Storage
from nproxy_mw.upstream.entries import Entries, Entry, refused
from nproxy_mw.upstream.flights import Flights
from nproxy_mw.upstream.kept_tarballs import Tarballs, Wanted, wanted
from nproxy_mw.upstream.targets import version_of_tarball

TTL = 300.0
NEGATIVE_TTL = 60.0
RECHECK = 5.0
"""Seconds within which a document is not asked for again, even by who asks past what is kept."""

STALE = 10.0
"""Seconds for which what is stale is served before the upstream is tried again."""


class Cached:
    """Keeps what *source* says on *storage*, a storage of its own, and tarballs in *tarballs*.

    *now* returns Unix time in seconds. *counts* counts ``hit``, ``miss``, ``revalidated``, ``stale`` and ``negative``.
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

    def _answer(self, asked: _Asked, unless: str, *, past: bool = False) -> Document | None:
        known = self._known.get(asked.id)
        if known is None or not self._is_fresh(known, past=past):
            known = self._learned(asked, past=past)
            if known.document is not None:
                return known.document if known.document.revision != unless else None
        else:
            self.counts["negative" if known.entry.refusal else "hit"] += 1
        known.entry.raise_refusal()
        if known.entry.revision == unless:
            return None
        return self._loaded(asked, known.entry)

    def _learned(self, asked: _Asked, *, past: bool) -> _Known:
        """What holds now: as another process has learned meanwhile, or as the upstream says."""
        with self._flights.hold(asked.id):
            known = self._known.get(asked.id)
            if known is not None and self._is_fresh(known, past=past):
                return known
            entry = asked.entries.find(asked.key)
            if entry is not None and self._is_fresh(found := _Known(entry, entry.checked), past=past):
                self.counts["hit"] += 1
            else:
                found = self._fetched(asked, entry)
            self._known.put(asked.id, found._replace(document=None))
            return found

    def _fetched(self, asked: _Asked, before: Entry | None) -> _Known:
        try:
            document = asked.ask(before.revision if before else "")
        except ClientError as error:
            self.counts["negative"] += 1
            return self._noted(asked, refused(error, self.now()))
        except ServerError:
            if before is None or not before.has_body:
                raise
            self.counts["stale"] += 1
            # Not noted: another process may be luckier.
            return _Known(before, self.now() - self._ttl_of(before) + STALE)
        if document is None and before is not None:
            self.counts["revalidated"] += 1
            return self._noted(asked, msgspec.structs.replace(before, checked=self.now()))
        if document is None:
            raise AssertionError("no condition was set")
        self.counts["miss"] += 1
        return self._kept(asked, document, before)

    def _kept(self, asked: _Asked, document: Document, before: Entry | None) -> _Known:
        try:
            entry = asked.entries.keep(asked.key, document, self.now(), before)
        except StorageUnavailable:  # a full disk: served all the same
            entry = Entry(checked=self.now() - self.ttl, revision=document.revision)
        return _Known(entry, entry.checked, document)

    def _noted(self, asked: _Asked, entry: Entry) -> _Known:
        with suppress(StorageUnavailable):  # the other processes learn it themselves then
            asked.entries.note(asked.key, entry)
        return _Known(entry, entry.checked)

    def _loaded(self, asked: _Asked, entry: Entry) -> Document:
        document = asked.entries.load(asked.key, entry, asked.name)
        if document is None:  # evicted, or replaced by another process
            document = asked.ask("")
            assert document is not None  # noqa: S101 - no condition was set
            with self._flights.hold(asked.id):
                self._known.put(asked.id, self._kept(asked, document, None)._replace(document=None))
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
        age = self.now() - known.checked
        return 0 <= age < (RECHECK if past else self._ttl_of(known.entry))

    def _ttl_of(self, entry: Entry) -> float:
        return self.negative_ttl if entry.refusal else self.ttl


class _Known(NamedTuple):
    """What a process knows: the *entry*, when it was *checked*, and the document where it was just fetched."""

    entry: Entry
    checked: float
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A document that is asked for: where it is kept, and how the source is asked for it unless it is at a revision."""

    entries: Entries
    key: str
    name: str
    ask: Callable[[str], Document | None]

    @property
    def id(self) -> str:
        """Names the document among all that are kept."""
        return f"{self.entries.folder}/{self.key}"
