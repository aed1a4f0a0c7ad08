"""API tokens: shown once, stored as a hash, found in one read, revoked one by one.

A token's record is stored under the token's SHA-256, so that it is found in one read, and nobody who reads the storage
can make a token of it. The identifier of a token is the beginning of that hash: it reveals nothing of the token, and
names it in the audit trail. The record of a revoked token stays, so that old audit events can still be explained.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from hmac import compare_digest

from msgspec import Struct

from nproxy_mw import token_format
from nproxy_mw.access import Actor, Grant, Principal
from nproxy_mw.audit.audited import AuditedObject, changing_many
from nproxy_mw.audit.events import AuditedChange
from nproxy_mw.audit.trail import Trail
from nproxy_mw.copies import replace
from nproxy_mw.errors import Changed, Conflict, Missing, NotFound, NproxyError
from nproxy_mw.grounds import rest_on
from nproxy_mw.json_values import Json
from nproxy_mw.orgs import token_records
from nproxy_mw.orgs.settings import SettingsStore
from nproxy_mw.orgs.token_records import ID_LENGTH, TokenRecord, check_expiry, check_grants, check_name, named
from nproxy_mw.restrictions import UNRESTRICTED, Restrictions
from nproxy_mw.storage.documents import UnreadableObject
from nproxy_mw.storage.layout import TOKEN
from nproxy_mw.storage.port import Revision, Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

LAST_USE = timedelta(hours=1)
"""How coarse "last used" is: the record of a token in use is written at most so often."""

_HASH = re.compile("[0-9a-f]{64}", re.ASCII)
_log = logging.getLogger(__name__)


class TokenListing(Struct, frozen=True):
    """The *tokens* of an organization, and the ids of those whose records cannot be understood: they open nothing."""

    tokens: list[TokenRecord]
    unreadable: list[str]


class TokenStore:
    """The API tokens on *storage*, the organization's own; the `Tokens` port of `access`.

    *settings* are asked for before a token is refused as unknown: they are gone when the storage is. If it is None,
    nothing is.
    """

    def __init__(
        self, storage: Storage, *, trail: Trail, settings: SettingsStore | None = None, clock: Clock = utc_now
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.clock = clock
        self._settings = settings
        self._records = RevisionCache(storage, token_records.decode)
        self._used: dict[str, datetime] = {}  # hash -> when this process last wrote a last use

    def create(
        self,
        name: str,
        grants: Iterable[Grant | str],
        *,
        actor: Actor,
        expires_at: datetime | None = None,
        restrictions: Restrictions = UNRESTRICTED,
    ) -> tuple[str, TokenRecord]:
        """Creates a token; returns its plaintext, which is stored nowhere, and its record.

        Raises:
            BadRequest: the name, the scopes or the expiry is invalid.
        """
        now = self.clock()
        secret = token_format.make_secret()
        record = TokenRecord(
            token_format.digest(secret),
            check_name(name),
            check_grants(grants),
            now,
            check_expiry(expires_at, now),
            restrictions=restrictions,
        )
        # A crash after this leaves a record whose token nobody has ever seen: it opens nothing.
        self._object(record.hash).change(partial(_created, record=record), actor)
        return secret, record

    def list(self, *, revoked: bool = False) -> list[TokenRecord]:
        """Returns the tokens as `listing` does, without those whose records cannot be understood: they open nothing."""
        return self.listing(revoked=revoked).tokens

    def listing(self, *, revoked: bool = False) -> TokenListing:
        """Returns the tokens, newest first: expired ones too, revoked ones only with *revoked*.

        Raises:
            StorageUnavailable: the storage cannot be read.
        """
        found = list(self._all())
        records = [one for one in found if isinstance(one, TokenRecord) and (revoked or one.revoked_at is None)]
        records.sort(key=lambda record: (record.created_at, record.hash), reverse=True)
        return TokenListing(records, sorted(one for one in found if isinstance(one, str)))

    def with_ids(self, ids: Container[str]) -> dict[str, TokenRecord]:
        """Returns the tokens that have one of *ids*, by their ids; revoked ones, too. The others are not read.

        One whose record cannot be understood is left out.
        """
        found = self._all(lambda digest: digest[:ID_LENGTH] in ids)
        return {record.id: record for record in found if isinstance(record, TokenRecord)}

    def revoke(self, token_id: str, *, actor: Actor) -> None:
        """Ends a token, named by its identifier or its whole hash, and records it.

        A call that ended the token and could not record it may be repeated.

        Raises:
            NotFound: there is no such token, or it is revoked already and that is recorded.
        """
        digest = token_id if _HASH.fullmatch(token_id) else self._hash_of(token_id)
        try:
            was_revoked = self._records.get(TOKEN.key(digest)).revoked_at is not None
        except Missing:
            raise unknown_token() from None
        if self._object(digest).change(_revoked, actor) is None and was_revoked:
            raise unknown_token()

    @contextmanager
    def revoking(self, actor: Actor) -> Iterator[Callable[[str], None]]:
        """Ends many tokens, each named by its whole hash as in `revoke`, from several threads if need be.

        Each is ended at once. Their events are appended to the trail together, at the end.
        """
        with changing_many(self.storage, self.trail, actor) as change:

            def revoke(digest: str) -> None:
                if change(TOKEN.key(digest), _revoked) is None:
                    raise unknown_token()

            yield revoke

    def hashes(self) -> Iterator[str]:
        """Yields the hashes of all tokens, revoked ones too."""
        return TOKEN.names(self.storage)

    def find(self, secret: str) -> Principal | None:
        """Returns who holds *secret*; None when it is malformed, unknown, revoked or expired.

        Raises:
            StorageUnavailable: the storage cannot be read, or what was there is gone.
        """
        digest = token_format.digest(secret)
        key = TOKEN.key(digest)
        # The checksum spares the storage a question; a token that was found before needs none.
        if key not in self._records and not token_format.is_wellformed(secret):
            return None
        try:
            entry = self._records.entry(key)
        except Missing:
            if self._settings is not None:
                self._settings.get()
            return None
        record, now = entry.value, self.clock()
        # The key is the hash, so a record that was moved to another token's key opens nothing.
        if not compare_digest(record.hash, digest) or not record.is_valid(now):
            return None
        use_due = self._use_due(record)
        if now >= use_due:
            self._note_use(record, entry.revision, now)
            use_due = now + LAST_USE
        end = min(use_due, record.expires_at or use_due)
        rest_on(lambda: self.clock() < end)
        return record.principal

    def _use_due(self, record: TokenRecord) -> datetime:
        """When the last use is to be written again: at most once in `LAST_USE`."""
        last = max(filter(None, (record.last_used_at, self._used.get(record.hash))), default=None)
        return last + LAST_USE if last is not None else record.created_at

    def _note_use(self, record: TokenRecord, revision: Revision, now: datetime) -> None:
        """Writes the last use. A failure is no reason to refuse the request."""
        self._used[record.hash] = now
        try:
            self.storage.replace(
                TOKEN.key(record.hash), token_records.encode(replace(record, last_used_at=now)), revision
            )
        except Changed:
            pass  # another process was quicker, or the token was just revoked
        except NproxyError as error:
            _log.warning("the last use of token %s was not written: %s", record.id, error)

    def _object(self, digest: str) -> AuditedObject:
        return AuditedObject(self.storage, TOKEN.key(digest), self.trail)

    def _hash_of(self, token_id: str) -> str:
        hashes = [found for found in self.hashes() if found[:ID_LENGTH] == token_id]
        if len(hashes) != 1:
            raise unknown_token()
        return hashes[0]

    def _all(self, is_wanted: Callable[[str], bool] = lambda found: True) -> Iterator[TokenRecord | str]:
        """Yields the tokens, and the id of one whose record cannot be understood."""
        for found in filter(is_wanted, self.hashes()):
            try:
                yield self._records.get(TOKEN.key(found))
            except Missing:
                continue
            except UnreadableObject:
                yield found[:ID_LENGTH]


class StaticTokens:
    """API tokens from the host's own code: for tests, and for hosts that keep tokens themselves."""

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        if not all(token_format.looks_like_ours(secret) for secret in principals):
            raise ValueError(f"An API token must begin with '{token_format.PREFIX}': others belong to the upstream.")
        self._principals = {
            digest: dataclasses.replace(principal, token_hash=digest, token_id=principal.token_id or digest[:ID_LENGTH])
            for digest, principal in ((token_format.digest(secret), who) for secret, who in principals.items())
        }

    def __repr__(self) -> str:
        return f"StaticTokens({len(self._principals)} tokens)"

    def find(self, secret: str) -> Principal | None:
        """Returns who holds *secret*, or None. Their expiry is the host's to check."""
        return self._principals.get(token_format.digest(secret))


def unknown_token() -> NotFound:
    """Returns what is raised for a token that is not there, or not any more."""
    return NotFound("There is no token with that id: list the tokens to see theirs.", code="unknown-token")


def _created(stored: Json | None, _: datetime, *, record: TokenRecord) -> AuditedChange[Json | None]:
    if stored is not None:
        raise Conflict("There is a token with that secret already.", code="token-exists")
    return AuditedChange(token_records.stored_document(record), [("token.created", {"token": named(record)})])


def _revoked(stored: Json | None, now: datetime) -> AuditedChange[Json | None]:
    record = token_records.from_document(stored) if stored is not None else None
    if record is None or record.revoked_at is not None:
        return AuditedChange(None)
    revoked = token_records.stored_document(replace(record, revoked_at=now))
    return AuditedChange(revoked, [("token.revoked", {"token": named(record)})])
