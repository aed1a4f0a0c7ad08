"""Sessions of the management API: who signed in, for how long, and how a session ends.

A session's secret is 32 random bytes after ``session_``; only its SHA-256 is stored. A session ends after `LIFETIME`,
when it is signed out, or when its administrator gets another password or is removed. An API token is never a session,
and a session is never an API token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Protocol

from nproxy_mw import token_format
from nproxy_mw.access import Actor, User
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, NotFound, NproxyError, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SESSION
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

ID_LENGTH = 16  # hex digits
LIFETIME = timedelta(hours=12)
LAST_USE = timedelta(minutes=10)
"""How coarse "last used" is: a session in use is written at most so often."""

SKEW = timedelta(hours=1)
"""How far behind the clock of another host may be: there, an expired session still opens something."""

_log = logging.getLogger(__name__)
_GONE = "The sessions are gone: see whether the storage is still mounted, and restore what is missing."


class EpochOf(Protocol):
    """How a session learns whether its administrator is still the one who signed in: `AdministratorStore.epoch_of`."""

    def __call__(self, name: str, *, current: bool = False) -> str | None:
        """Returns the epoch of the administrator's password, or None; *current*: as it is this moment."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What is stored of one session. *epoch* is the password's at sign-in: with another one the session has ended."""

    hash: str
    name: str
    epoch: str
    expires_at: datetime
    created_at: datetime | None = None  # None, and no address and client, in a session that an older version stored
    last_used_at: datetime | None = None
    ip: str = ""
    user_agent: str = ""

    @property
    def id(self) -> str:
        """Names the session to people, and in the audit trail."""
        return self.hash[:ID_LENGTH]

    def to_document(self) -> dict[str, Any]:
        """Returns the session as the management API shows it."""
        return {
            "id": self.id,
            "createdAt": _text(self.created_at),
            "lastUsedAt": _text(self.last_used_at),
            "expiresAt": timestamp(self.expires_at),
            "ip": self.ip,
            "userAgent": self.user_agent,
        }


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
        self._sessions = RevisionCache(storage, _decode)
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

    def list(self, name: str) -> list[Session]:
        """Returns the sessions of the administrator *name* that open something, the newest first."""
        found = [session for session in self._all() if session.name == name and self._is_good(session)]
        return sorted(found, key=lambda session: (session.expires_at, session.hash), reverse=True)

    def end(self, name: str, session_id: str, *, actor: Actor) -> None:
        """Ends one session of the administrator *name*.

        Raises:
            NotFound: they have no session with that id.
            StorageUnavailable: as `revoke`.
        """
        for session in self.list(name):
            if compare_digest(session.id.encode(), session_id.encode()):
                return self._end(session, actor)
        raise NotFound("There is no session with that id: it may have ended already.", code="unknown-session")

    def end_others(self, name: str, secret: str, *, actor: Actor) -> None:
        """Ends all sessions of the administrator *name* but the one with *secret*. Raises as `revoke`."""
        kept = token_format.digest(secret)
        for session in self.list(name):
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

    def _all(self) -> Iterator[Session]:
        for key in list(SESSION.keys(self.storage)):
            with suppress(Missing, documents.UnreadableObject):  # ended meanwhile; ``check`` tells of damage
                yield self._sessions.get(key)

    def _note_use(self, session: Session) -> None:
        """Writes the last use, at most once in `LAST_USE`. A failure is no reason to refuse the request."""
        key, now = SESSION.key(session.hash), self.clock()
        if session.last_used_at is None or now < session.last_used_at + LAST_USE:
            return
        try:
            stored, revision = self._sessions.get_with_revision(key, current=True)
            self.storage.replace(key, _encode(replace(stored, last_used_at=now)), revision)
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
            self.storage.create(key, _encode(session))
        except StorageUnavailable:
            # The answer was lost, perhaps not the write; nobody else writes under this key.
            if documents.find(self.storage, key) is None:
                raise
        self._were_there = True

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


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the session that *data* stores expired at least `SKEW` ago, so that it may be removed.

    Raises:
        UnreadableObject: *data* is no session.
    """
    return now >= _decode(data).expires_at + SKEW


def _encode(session: Session) -> bytes:
    return documents.encode(
        {
            "hash": session.hash,
            "administrator": session.name,
            "epoch": session.epoch,
            "expiresAt": timestamp(session.expires_at),
            "createdAt": _text(session.created_at),
            "lastUsedAt": _text(session.last_used_at),
            "ip": session.ip,
            "userAgent": session.user_agent,
        }
    )


def _decode(data: bytes) -> Session:
    document: Json = documents.decode(data)
    try:
        return Session(
            document["hash"],
            document["administrator"],
            document["epoch"],
            datetime.fromisoformat(document["expiresAt"]),
            _time(document.get("createdAt")),
            _time(document.get("lastUsedAt")),
            str(document.get("ip", "")),
            str(document.get("userAgent", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _text(time: datetime | None) -> str | None:
    return timestamp(time) if time else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
