"""Sessions of the management API: who signed in, for how long, and how a session ends.

A session's secret is 32 random bytes after ``session_``; only its SHA-256 is stored. A session ends after `LIFETIME`,
when it is signed out, or when its administrator gets another password or is removed. An API token is never a session,
and a session is never an API token.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Protocol

from nproxy_mw import token_format
from nproxy_mw.access import Actor, User
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing, StorageUnavailable
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SESSION
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

LIFETIME = timedelta(hours=12)
SKEW = timedelta(hours=1)
"""How far behind the clock of another host may be: there, an expired session still opens something."""

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
        session = Session(token_format.digest(secret), user.name, epoch, expires_at)
        # Recorded first, so that no session is unrecorded. One that is recorded and then not stored opens nothing.
        self.trail.record("session.created", actor, session=_id(session), administrator=session.name)
        self._store(session)
        return secret, expires_at

    def find(self, secret: str) -> str | None:
        """Returns the name of who signed in with *secret*; None when the session is unknown or has ended.

        Raises:
            StorageUnavailable: the storage cannot be read, or the sessions that were there are gone: a disk that is no
                longer mounted looks like an empty store.
        """
        session = self._find(secret)
        if session is None or self.clock() >= session.expires_at:
            return None
        # What is remembered of the administrator may be a little old, so a refusal is decided on what is stored.
        if self._is_of_epoch(session, self._epoch_of(session.name)):
            return session.name
        is_good = self._is_of_epoch(session, self._epoch_of(session.name, current=True))
        return session.name if is_good else None

    def revoke(self, secret: str, *, actor: Actor) -> None:
        """Ends a session. An unknown one has ended already.

        Raises:
            StorageUnavailable: the session cannot be removed, or that cannot be recorded.
        """
        session = self._find(secret)
        if session is None:
            return
        key = SESSION.key(session.hash)
        try:
            self.storage.delete(key)
        except Missing:
            return
        except StorageUnavailable:  # the answer was lost, perhaps not the deletion
            if documents.find(self.storage, key) is not None:
                raise
        self.trail.record("session.ended", actor, session=_id(session), administrator=session.name)

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

    def _is_of_epoch(self, session: Session, epoch: str | None) -> bool:
        return epoch is not None and compare_digest(epoch, session.epoch)


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the session that *data* stores expired at least `SKEW` ago, so that it may be removed.

    Raises:
        UnreadableObject: *data* is no session.
    """
    return now >= _decode(data).expires_at + SKEW


def _id(session: Session) -> str:
    """The session as an audit event names it."""
    return session.hash[:16]


def _encode(session: Session) -> bytes:
    return documents.encode(
        {
            "hash": session.hash,
            "administrator": session.name,
            "epoch": session.epoch,
            "expiresAt": timestamp(session.expires_at),
        }
    )


def _decode(data: bytes) -> Session:
    document: Json = documents.decode(data)
    try:
        expires_at = datetime.fromisoformat(document["expiresAt"])
        return Session(document["hash"], document["administrator"], document["epoch"], expires_at)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error
