"""The documents of the cache: what is known of each, when the upstream is asked again, and what is served meanwhile.

A process remembers what it knows, and looks before each use whether another one has learned something newer: one look
at a file. Of those who must ask the upstream, one at a time does (`Flights`); the others find what it learned.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from nproxy_mw.copies import replace
from nproxy_mw.errors import Busy, ClientError, ServerError, StorageUnavailable
from nproxy_mw.grounds import Look, Witness, each_time, rest_on, vouch
from nproxy_mw.http.context import CURRENT
from nproxy_mw.lru import Lru
from nproxy_mw.npm.documents import Document
from nproxy_mw.upstream.entries import UNSTORED, Entries, Entry, Found, refused
from nproxy_mw.upstream.flights import PATIENCE, Flights
from nproxy_mw.upstream.refusals import patience_for
from nproxy_mw.upstream.rooms import Room

_log = logging.getLogger(__name__)

TTL = 300.0
NEGATIVE_TTL = 60.0
RECHECK = 5.0
"""Seconds within which a document is not asked for again, even by who asks past what is kept."""

STALE = 10.0
"""Seconds for which what is stale is served before the upstream is tried again."""

MOMENT = 2.0
"""Seconds that a request waits for another one that asks, when it can be answered with what is kept."""

SETTLING = 60.0
"""Seconds after a change that passed through here for which the upstream's answers may still be old: registries have
caches of their own. What is read then is asked for again after `RECHECK`."""


class Asked(Struct, frozen=True):
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


class _Known(NamedTuple):
    """What a process knows: the entry that it *found*, and the *document* where it was just fetched.

    If the upstream failed, it is not asked again before *stale_until*.
    """

    found: Found
    stale_until: float = 0.0
    document: Document | None = None


class Documents:
    """Answers from what is kept, or asks. *room* bounds the requests that wait for the upstream or for each other."""

    def __init__(
        self,
        flights: Flights,
        room: Room,
        *,
        ttl: float = TTL,
        negative_ttl: float = NEGATIVE_TTL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ttl = ttl
        self.negative_ttl = min(negative_ttl, NEGATIVE_TTL)
        self.now = now
        self.counts: Counter[str] = Counter()
        self._flights = flights
        self._room = room
        self._known: Lru[str, _Known] = Lru(max_items=50_000)

    def answer(self, asked: Asked, unless: str, *, past: bool = False) -> Document | None:
        """Returns the document, or None when it is still at the revision *unless*; *past* looks past what is kept.

        Raises:
            ClientError, ServerError: what the source raises, or raised a moment ago.
        """
        known = self._found(asked)
        if known is None or not self._is_fresh(known, past=past):
            known = self._learned(asked, known, past=past)
        else:
            self.count("negative" if known.found.entry.refusal else "hit")
        if not past:
            vouch(Witness.SOURCE)
            rest_on(self._look_at(asked, known))
            each_time(self._count_repeated)
        if known.document is not None:
            return known.document if known.document.revision != unless else None
        known.found.entry.raise_refusal()
        if known.found.entry.revision == unless:
            return None
        return self._loaded(asked, known.found.entry)

    def _count_repeated(self, environ: object) -> None:
        self.counts["hit"] += 1

    def _look_at(self, asked: Asked, known: _Known) -> Look | None:
        """Returns the look whether *known* would be found again, and still be fresh; None where nobody can tell."""
        find, key, found, look = self._known.get, asked.id, known.found, known.found.look
        if look is None:
            return None
        begin, end = self._fresh_within(known)

        def is_found_again() -> bool:
            current = find(key)
            return current is not None and current.found is found and begin <= self.now() < end and look()

        return is_found_again

    def _fresh_within(self, known: _Known) -> tuple[float, float]:
        """From when until when *known* is fresh, for who does not ask past what is kept."""
        entry = known.found.entry
        if known.stale_until:
            return known.stale_until - STALE, known.stale_until
        if entry.checked <= entry.changed:  # a client changed it while it was fetched
            return entry.checked, entry.checked
        return entry.checked, entry.checked + self._lifetime(entry, past=False)

    def _found(self, asked: Asked) -> _Known | None:
        """What this process knows, or else what is kept."""
        return self._current(asked) or self._remembered(asked, asked.entries.find(asked.key))

    def _current(self, asked: Asked) -> _Known | None:
        """What this process knows, or what another one has learned since then."""
        known = self._known.get(asked.id)
        if known is None:
            return None
        found = asked.entries.current(asked.key, known.found)
        if found is known.found:
            return known
        return self._remembered(asked, found)

    def _remembered(self, asked: Asked, found: Found | None) -> _Known | None:
        if found is None:
            self._known.discard(asked.id)
            return None
        known = _Known(found)
        self._known.put(asked.id, known)
        return known

    def _learned(self, asked: Asked, before: _Known | None, *, past: bool) -> _Known:
        """What holds now: as another process has learned meanwhile, or as the upstream says.

        Who has something older, *before*, waits only a moment for somebody else who asks.
        """
        is_kept = before is not None and before.found.entry.has_body
        try:
            with self._room.place(), self._flights.hold(asked.id, MOMENT if is_kept else PATIENCE):
                return self._asked_once(asked, past=past)
        except Busy:
            if before is None or not is_kept:
                raise
            self.count("stale")
            return before

    def _asked_once(self, asked: Asked, *, past: bool) -> _Known:
        known = self._found(asked)
        if known is not None and self._is_fresh(known, past=past):
            self.count("hit")
            return known
        learned = self._fetched(asked, known.found if known else Found(Entry(), UNSTORED))
        self._known.put(asked.id, learned._replace(document=None))
        return learned

    def _fetched(self, asked: Asked, kept: Found) -> _Known:
        before, began = kept.entry, self.now()
        try:
            document = asked.checked(before.revision)
        except ClientError as error:
            return self._refused(asked, kept, error, began)
        except ServerError as error:
            if not before.has_body:
                raise
            self.count("stale")
            _log.info("%s is served as it was %.0f s ago: %s", asked.id, began - before.checked, error)
            # Not noted: another process may be luckier.
            return _Known(kept, stale_until=self.now() + STALE)
        if document is None:
            self.count("revalidated")
            return self._noted(asked, replace(before, checked=began, doubted=0.0), kept)
        self.count("miss")
        return self._kept(asked, document, began, kept)

    def _refused(self, asked: Asked, kept: Found, error: ClientError, began: float) -> _Known:
        """What holds after the upstream refused a document that may be kept here."""
        before = kept.entry
        doubted = before.doubted or began
        has_just_changed = began - before.changed < SETTLING
        if before.has_body and not has_just_changed and began - doubted < patience_for(error):
            self.count("doubted")
            _log.warning("%s is served although the upstream refuses it now: %s", asked.id, error)
            return self._noted(asked, replace(before, checked=began, doubted=doubted), kept)
        self.count("negative")
        return self._noted(asked, refused(error, began), kept)

    def _kept(self, asked: Asked, document: Document, began: float, known: Found | None) -> _Known:
        try:
            found = asked.entries.keep(asked.key, document, began, known)
        except (StorageUnavailable, Busy):  # a full disk: served all the same
            found = Found(Entry(revision=document.revision), UNSTORED)
        return _Known(found, document=document)

    def _noted(self, asked: Asked, entry: Entry, known: Found) -> _Known:
        try:
            found = asked.entries.note(asked.key, entry, known)
        except (StorageUnavailable, Busy):  # the other processes learn it themselves then
            found = Found(entry, UNSTORED)
        return _Known(found)

    def _loaded(self, asked: Asked, entry: Entry) -> Document:
        document = asked.entries.load(asked.key, entry, asked.name)
        return document or self._loaded_or_fetched(asked)

    def _loaded_or_fetched(self, asked: Asked) -> Document:
        """The document whose body was damaged, evicted, or replaced by another process."""
        with self._room.place(), self._flights.hold(asked.id):
            found = asked.entries.find(asked.key)
            document = asked.entries.load(asked.key, found.entry, asked.name) if found else None
            if document is None:
                began = self.now()
                document = asked.checked("")
                assert document is not None  # noqa: S101 - no condition was set
                self._known.put(asked.id, self._kept(asked, document, began, found)._replace(document=None))
            return document

    def count(self, outcome: str, what: str = "") -> None:
        """Counts, and tells the layers above how what they asked for was found: the first document, or *what* else."""
        self.counts[what + outcome] += 1
        context = CURRENT.get()
        if context is not None and (what or context.cache is None):
            context.cache = outcome

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
