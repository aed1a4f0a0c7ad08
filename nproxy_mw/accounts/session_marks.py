"""Which sessions an account has: a mark for each, so that its list reads no session of anybody else.

A session is found by the hash of its secret, and nothing in its key says whose it is. Its mark does, and when it ends.
A mark opens nothing. It is written after its session and may be missing: a process was killed in between, or an earlier
version stored the session. So a list also reads the sessions that have no mark at all. A mark without its session is
passed over, until ``gc`` removes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from nproxy_mw.accounts.session_records import SKEW
from nproxy_mw.errors import NproxyError
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import SESSION, SESSION_MARK
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import compact, from_timestamp, timestamp

_log = logging.getLogger(__name__)


def place_of(digest: str, expires_at: datetime) -> str:
    """Returns the place of a session in the order of lists: when it ends, and its hash."""
    return f"{compact(timestamp(expires_at))}-{digest}"


def mark(storage: Storage, name: str, digest: str, expires_at: datetime) -> None:
    """Writes the mark of a session of the account *name*. A failure is no reason to refuse the session."""
    try:
        storage.create(
            SESSION_MARK.key(name, place_of(digest, expires_at)), documents.encode({"expiresAt": timestamp(expires_at)})
        )
    except NproxyError as error:
        _log.debug("the session %s has no mark: %s", digest[:16], error)


def unmark(storage: Storage, name: str, digest: str, expires_at: datetime) -> None:
    """Removes the mark of a session that has ended. One that stays is passed over."""
    with suppress(NproxyError):
        storage.delete(SESSION_MARK.key(name, place_of(digest, expires_at)))


def marked(storage: Storage, name: str) -> tuple[list[str], list[str]]:
    """Returns the places of the sessions of the account *name*, the last to end first; and the hashes of all sessions
    that have no mark, of all accounts. Nothing but keys is read.
    """
    there = set(SESSION.names(storage))
    places: list[str] = []
    for owner, place in _marks(storage):
        digest = place.rpartition("-")[2]
        if digest in there:
            there.discard(digest)
            places += [place] if owner == name else []
    return sorted(places, reverse=True), sorted(there)


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the session of the mark *data* may be removed. Raises `UnreadableObject` when it is no mark."""
    try:
        return now >= from_timestamp(documents.decode(data)["expiresAt"]) + SKEW
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _marks(storage: Storage) -> Iterator[tuple[str, ...]]:
    for key in storage.list(SESSION_MARK.folder):
        if parts := SESSION_MARK.parse(key):
            yield parts
