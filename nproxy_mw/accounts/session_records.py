"""What is stored of one session of an administrator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.times import from_timestamp, from_timestamp_or_none, timestamp, timestamp_or_none

ID_LENGTH = 16  # hex digits
SKEW = timedelta(hours=1)
"""How far behind the clock of another host may be: there, an expired session still opens something."""


class Session(Struct, frozen=True):
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
            "createdAt": timestamp_or_none(self.created_at),
            "lastUsedAt": timestamp_or_none(self.last_used_at),
            "expiresAt": timestamp(self.expires_at),
            "ip": self.ip,
            "userAgent": self.user_agent,
        }


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the session that *data* stores expired at least `SKEW` ago, so that it may be removed.

    Raises:
        UnreadableObject: *data* is no session.
    """
    return now >= decode(data).expires_at + SKEW


def encode(session: Session) -> bytes:
    """Returns the bytes that are stored."""
    return documents.encode(
        {
            "hash": session.hash,
            "administrator": session.name,
            "epoch": session.epoch,
            "expiresAt": timestamp(session.expires_at),
            "createdAt": timestamp_or_none(session.created_at),
            "lastUsedAt": timestamp_or_none(session.last_used_at),
            "ip": session.ip,
            "userAgent": session.user_agent,
        }
    )


def decode(data: bytes) -> Session:
    """Returns the session that `encode` stored. Raises `UnreadableObject`."""
    document: Json = documents.decode(data)
    try:
        return Session(
            document["hash"],
            document["administrator"],
            document["epoch"],
            from_timestamp(document["expiresAt"]),
            from_timestamp_or_none(document.get("createdAt")),
            from_timestamp_or_none(document.get("lastUsedAt")),
            str(document.get("ip", "")),
            str(document.get("userAgent", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error
