"""Sessions of the management API: who signed in, for how long, and how a session ends.

A session's secret is 32 random bytes after ``session_``; only its SHA-256 is stored. A session ends after `LIFETIME`,
when it is signed out, or when its administrator gets another password or is removed. An API token is never a session,
and a session is never an API token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Protocol

from nproxy_mw import token_format
from nproxy_mw.access import Actor, User
from nproxy_mw.accounts import session_records
from nproxy_mw.accounts.session_marks import mark, marked, place_of, unmark
from nproxy_mw.accounts.session_records import ID_LENGTH, Session
from nproxy_mw.audit.trail import Trail
from nproxy_mw.copies import replace
from nproxy_mw.errors import Missing, NotFound, NproxyError, StorageUnavailable, invalid_cursor
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SESSION
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

LIFETIME = timedelta(hours=12)
LAST_USE = timedelta(minutes=10)
"""How coarse "last used" is: a session in use is written at most so often."""

PAGE = 50
MAX_READ = 200
"""Sessions that are read for one page: those that a new password ended are passed over."""

_CURSOR = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{16}", re.ASCII)
_CURSOR_LENGTH = 37  # characters
_log = logging.getLogger(__name__)
_GONE = "The sessions are gone: see whether the storage is still mounted, and restore what is missing."


class EpochOf(Protocol):
    """How a session learns whether its administrator is still the one who signed in: `AdministratorStore.epoch_of`."""

    def __call__(self, name: str, *, current: bool = False) -> str | None:
        """Returns the epoch of the administrator's password, or None; *current*: as it is this moment."""
        ...


class SessionStore:
    """The sessions on *storage*, the whole one. *trail* is the server's own."""

    def __init__(
        self,
        storage: Storage,
        *,
        epoch_of: EpochOf,
        trail: Trail,
        lifetime: timedelta = LIFETIME,
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.lifetime = lifetime
        self.clock = clock
        self._epoch_of = epoch_of
        self._sessions = RevisionCache(storage, session_records.decode)
        self._were_there = False  # whether this process has seen a session

    def create(self, user: User, *, actor: Actor) -> tuple[str, datetime]:
        """Begins a session; returns its secret, which is stored nowhere, and when it ends.

        Raises:
            StorageUnavailable: the session cannot be recorded or stored.
        """
        epoch = self._epoch_of(user.name, current=True)
        if epoch is None:
            raise ValueError("only an administrator that exists can have a session")
        secret = token_format.make_session_secret()
        expires_at = self.clock() + self.lifetime
        now = self.clock()
        session = Session(
            token_format.digest(secret), user.name, epoch, expires_at, now, now, actor.ip, actor.user_agent
        )
        # Recorded first, so that no session is unrecorded. One that is recorded and then not stored opens nothing.
        self.trail.record("session.created", actor, session=session.id, administrator=session.name)
        self._store(session)
        return secret, expires_at

    def find(self, secret: str) -> str | None:
        """Returns the name of who signed in with *secret*; None when the session is unknown or has ended.

        Raises:
            StorageUnavailable: the storage cannot be read, or the sessions that were there are gone: a disk that is no
                longer mounted looks like an empty store.
        """
        session = self._find(secret)
        if session is None or not self._is_good(session):
            return None
        self._note_use(session)
        return session.name

    def id_of(self, secret: str) -> str:
        """Returns the id of the session with *secret*, should there be one."""
        return token_format.digest(secret)[:ID_LENGTH]

    def page(self, name: str, *, after: str | None = None, limit: int = PAGE) -> tuple[list[Session], str | None]:
        """Returns sessions of the administrator *name* that open something, the newest first, and where they go on.

        Up to *limit* sessions are returned and `MAX_READ` are read, so a page may be short and have another behind it:
        give the text as *after* to get it. It is None when there is none.

        Raises:
            BadRequest: *after* is no such text.
            StorageUnavailable: the storage cannot be read.
        """
        if after is not None and not _CURSOR.fullmatch(after):
            raise invalid_cursor()
        found: list[Session] = []
        places = [place for place in self._places(name) if after is None or place[:_CURSOR_LENGTH] < after]
        for number, place in enumerate(places, 1):
            found += self._good_at(place)
            if number < len(places) and (len(found) == limit or number == MAX_READ):
                return found, place[:_CURSOR_LENGTH]
        return found, None

    def end(self, name: str, session_id: str, *, actor: Actor) -> None:
        """Ends one session of the administrator *name*.

        Raises:
            NotFound: they have no session with that id.
            StorageUnavailable: as `revoke`.
        """
        for place in self._places(name):
            if compare_digest(_digest_in(place)[:ID_LENGTH].encode(), session_id.encode()):
                for session in self._good_at(place):
                    return self._end(session, actor)
        raise NotFound("There is no session with that id: it may have ended already.", code="unknown-session")

    def end_others(self, name: str, secret: str, *, actor: Actor) -> None:
        """Ends all sessions of the administrator *name* but the one with *secret*. Raises as `revoke`."""
        kept = token_format.digest(secret)
        for place in self._places(name):
            for session in self._good_at(place):
                if session.hash != kept:
                    self._end(session, actor)

    def revoke(self, secret: str, *, actor: Actor) -> None:
        """Ends a session. An unknown one has ended already.

        Raises:
            StorageUnavailable: the session cannot be removed, or that cannot be recorded.
        """
        session = self._find(secret)
        if session is not None:
            self._end(session, actor)

    def _end(self, session: Session, actor: Actor) -> None:
        key = SESSION.key(session.hash)
        try:
            self.storage.delete(key)
        except Missing:
            return
        except StorageUnavailable:  # the answer was lost, perhaps not the deletion
            if documents.find(self.storage, key) is not None:
                raise
        self.trail.record("session.ended", actor, session=session.id, administrator=session.name)
        unmark(self.storage, session.name, session.hash, session.expires_at)

    def _places(self, name: str) -> list[str]:
        """Returns the places of all sessions of the administrator *name*, the last to end first."""
        places, unmarked = marked(self.storage, name)
        others = (session for digest in unmarked for session in self._at(digest) if session.name == name)
        return sorted([*places, *(place_of(session.hash, session.expires_at) for session in others)], reverse=True)

    def _good_at(self, place: str) -> Iterator[Session]:
        """Yields the session at *place* when it opens something."""
        return (session for session in self._at(_digest_in(place)) if self._is_good(session))

    def _at(self, digest: str) -> Iterator[Session]:
        """Yields the session with that hash, when it can be read."""
        with suppress(Missing, documents.UnreadableObject):  # ended meanwhile; ``check`` tells of damage
            yield self._sessions.get(SESSION.key(digest))

    def _note_use(self, session: Session) -> None:
        """Writes the last use, at most once in `LAST_USE`. A failure is no reason to refuse the request."""
        key, now = SESSION.key(session.hash), self.clock()
        if session.last_used_at is None or now < session.last_used_at + LAST_USE:
            return
        try:
            entry = self._sessions.entry(key, current=True)
            self.storage.replace(key, session_records.encode(replace(entry.value, last_used_at=now)), entry.revision)
        except NproxyError as error:  # another process was quicker, or the session has just ended
            _log.debug("the last use of session %s was not written: %s", session.id, error)

    def _find(self, secret: str) -> Session | None:
        if not secret.startswith(token_format.SESSION_PREFIX):
            return None
        digest = token_format.digest(secret)
        try:
            session = self._sessions.get(SESSION.key(digest))
        except Missing:
            if self._were_there and self.trail.is_empty():
                raise StorageUnavailable(_GONE, retry_after=10) from None
            return None
        self._were_there = True
        return session if compare_digest(session.hash, digest) else None

    def _store(self, session: Session) -> None:
        key = SESSION.key(session.hash)
        try:
            self.storage.create(key, session_records.encode(session))
        except StorageUnavailable:
            # The answer was lost, perhaps not the write; nobody else writes under this key.
            if documents.find(self.storage, key) is None:
                raise
        self._were_there = True
        mark(self.storage, session.name, session.hash, session.expires_at)

    def _is_good(self, session: Session) -> bool:
        """Whether the session opens something: it is not over, and its administrator's password is the same."""
        if self.clock() >= session.expires_at:
            return False
        # What is remembered of the administrator may be a little old, so a refusal is decided on what is stored.
        return self._is_of_epoch(session, self._epoch_of(session.name)) or self._is_of_epoch(
            session, self._epoch_of(session.name, current=True)
        )

    def _is_of_epoch(self, session: Session, epoch: str | None) -> bool:
        return epoch is not None and compare_digest(epoch, session.epoch)


def _digest_in(place: str) -> str:
    return place.rpartition("-")[2]
