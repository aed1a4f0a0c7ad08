"""Sessions of the management API: who signed in, for how long, and how it ends.

A session's secret is 32 random bytes behind ``session_``; only its SHA-256 is stored. It ends after `LIFETIME`, when it
is signed out, when its administrator gets another password, or is removed. An API token is never a session, nor the
other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from nproxy_mw import token_format
from nproxy_mw.access import Actor, Administrator
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Missing
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SESSION
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, timestamp, utc_now

LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """What is stored of one session. *epoch* is the password's at sign-in: with another one the session has ended."""

    hash: str
    name: str
    epoch: str
    expires_at: datetime


class SessionStore:
    """Sessions on *storage*, the whole one.

    *epoch_of* answers the present epoch of an administrator, or None for nobody (`AdministratorStore.epoch_of`).
    *trail* is the server's own.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        epoch_of: Callable[[str], str | None],
        trail: Trail,
        lifetime: timedelta = LIFETIME,
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.lifetime = lifetime
        self.clock = clock
        self._epoch_of = epoch_of
        self._remembered = RevisionCache(storage, _decode)

    def create(self, administrator: Administrator, *, actor: Actor) -> tuple[str, datetime]:
        """Begins a session; answers its secret, which is kept nowhere, and when it ends."""
        epoch = self._epoch_of(administrator.name)
        if epoch is None:
            raise ValueError("a session is of an administrator that is there")
        secret = token_format.make_session_secret()
        expires_at = self.clock() + self.lifetime
        session = Session(token_format.digest(secret), administrator.name, epoch, expires_at)
        # Told first: a session that is not told of cannot exist, and one that was told of and lost opens nothing.
        self.trail.record("session.created", actor, session=_id(session), administrator=session.name)
        self.storage.create(SESSION.key(session.hash), _encode(session))
        return secret, expires_at

    def find(self, secret: str) -> Administrator | None:
        """Who signed in as *secret*; None when the session is unknown, or has ended."""
        session = self._find(secret)
        if session is None or self.clock() >= session.expires_at:
            return None
        epoch = self._epoch_of(session.name)
        if epoch is None or not compare_digest(epoch, session.epoch):
            return None
        return Administrator(session.name)

    def revoke(self, secret: str, *, actor: Actor) -> None:
        """Ends a session; one that is unknown has ended already."""
        session = self._find(secret)
        if session is None:
            return
        try:
            self.storage.delete(SESSION.key(session.hash))
        except Missing:
            return
        self.trail.record("session.ended", actor, session=_id(session), administrator=session.name)

    def sweep(self) -> int:
        """Removes what is stored of sessions that have expired. Answers how many."""
        removed = 0
        for key in list(SESSION.keys(self.storage)):
            try:
                if self.clock() >= self._remembered.get(key).expires_at:
                    self.storage.delete(key)
                    removed += 1
            except Missing:
                continue
        return removed

    def _find(self, secret: str) -> Session | None:
        if not secret.startswith(token_format.SESSION_PREFIX):
            return None
        digest = token_format.digest(secret)
        try:
            session = self._remembered.get(SESSION.key(digest))
        except Missing:
            return None
        return session if compare_digest(session.hash, digest) else None


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
