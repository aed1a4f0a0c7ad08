"""The administrators of a standalone server and its readers: names, roles and argon2 hashes of passwords.

This is the only module that needs argon2 (the extra ``server``), which it imports for the first password. A host
application passes its own login instead.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from nproxy_mw.access import Actor, Role, User
from nproxy_mw.accounts.account_fields import LONGEST, NAME, check_access, check_name, check_password, normal_password
from nproxy_mw.accounts.attempts import Attempt, Attempts, too_many
from nproxy_mw.audit.audited import AuditedObject
from nproxy_mw.audit.events import AuditedChange
from nproxy_mw.audit.trail import Trail
from nproxy_mw.errors import Conflict, Missing, NotFound, NproxyError, Unauthenticated
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import ADMINISTRATOR
from nproxy_mw.storage.port import Storage
from nproxy_mw.storage.revisions import RevisionCache
from nproxy_mw.times import Clock, utc_now

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 2
"""Passwords that one process hashes at the same time: argon2 takes 64 MiB for each.

So many from networks that are known, and so many from others.
"""

PATIENCE = 1.0  # seconds that an attempt waits for its turn
_CREATED = "administrator.created"
_ALL: Json = {"role": Role.ADMINISTRATOR, "organizations": None}  # of an account that an older version stored
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AdministratorRecord:
    """What is stored of one account. *epoch* changes with the password; a removed one has no hash.

    An account that an older version stored has no role: it is a platform administrator's.
    """

    name: str
    hash: str = field(repr=False)
    epoch: str
    role: Role = Role.ADMINISTRATOR
    organizations: frozenset[str] | None = None

    @property
    def user(self) -> User:
        """The user whose account it is."""
        return User(self.name, self.organizations, self.role)


class AdministratorStore:
    """The administrators on *storage*, the whole one. *trail* is the server's own.

    If *hasher* is None, argon2-cffi's defaults are used: the second option that RFC 9106 recommends.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        trail: Trail,
        hasher: PasswordHasher | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.storage = storage
        self.trail = trail
        self.attempts = Attempts(storage, clock=clock)
        self._given_hasher = hasher
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._known_turns = threading.BoundedSemaphore(AT_ONCE)
        self._records = RevisionCache(storage, _decode)

    def create(
        self,
        name: object,
        password: object,
        *,
        role: object = Role.ADMINISTRATOR,
        organizations: Collection[str] | None = None,
        actor: Actor,
    ) -> User:
        """Adds an administrator or a reader, of *organizations*; None means all of them.

        Raises:
            BadRequest: the name, the password, the role or an organization's id is invalid.
            Conflict: there is an administrator with that name.
        """
        access = check_access(role, organizations)
        state = {"name": check_name(name), **_with_password(self._hash(check_password(password))), **access}
        self._change(state["name"], _CREATED, state, access, actor)
        return _decode_access(state["name"], state)

    def set_password(self, name: str, password: object, *, actor: Actor) -> None:
        """Gives an administrator another password, which ends all their sessions. Raises `NotFound`, `BadRequest`."""
        state = _with_password(self._hash(check_password(password)))
        self._change(name, "administrator.password-changed", state, {}, actor)

    def set_access(
        self, name: str, *, role: object, organizations: Collection[str] | None = None, actor: Actor
    ) -> None:
        """Gives an account another role or other organizations, from its next request on.

        Raises:
            NotFound: there is no such account.
            BadRequest: the role or an organization's id is invalid.
        """
        access = check_access(role, organizations)
        self._change(name, "administrator.role-changed", access, access, actor)

    def end_sessions(self, name: str, *, actor: Actor) -> None:
        """Ends all sessions of an account. Raises `NotFound`."""
        self._change(name, "administrator.sessions-ended", {"epoch": secrets.token_hex(8)}, {}, actor)

    def remove(self, name: str, *, actor: Actor) -> None:
        """Removes an administrator, and ends all their sessions. Raises `NotFound`."""
        self._change(name, "administrator.removed", _with_password(""), {}, actor)

    def verify(self, name: str, password: str, *, actor: Actor) -> User:
        """Returns the administrator *name* if *password* is theirs. *actor* is who tries, and from where.

        Raises:
            Unauthenticated: it is not, or there is nobody of that name: the same answer, after the same work.
            TooManyRequests: there were too many attempts by that name or from that network, or too many at this moment.
        """
        attempt = self.attempts.begin(name, actor.ip)
        record = self._find(name, current=True)
        with self._turn(attempt):
            is_right = self._fits(record.hash if record else self._nobody, password)
        if record is None or not is_right:
            self._report(attempt, record, actor)
            raise Unauthenticated("The name or the password is wrong.", code="wrong-password")
        self.attempts.succeed(attempt)
        self._renew(record, password)
        return record.user

    def epoch_of(self, name: str, *, current: bool = False) -> str | None:
        """Returns the epoch of an administrator's password, or None for nobody; *current*: as it is this moment."""
        record = self._find(name, current=current)
        return record.epoch if record else None

    def find(self, name: str) -> User | None:
        """Returns the user *name* with their role, or None."""
        record = self._find(name)
        return record.user if record else None

    def anybody_manages(self, org: str) -> bool:
        """Returns whether there is a user who may change the organization *org*."""
        users = map(self.find, ADMINISTRATOR.names(self.storage))
        return any(user is not None and user.manages(org) for user in users)

    def list(self) -> list[User]:
        """Returns all users, by name."""
        return [user for name in sorted(ADMINISTRATOR.names(self.storage)) if (user := self.find(name))]

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return self._given_hasher or PasswordHasher()

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password fits: an attempt by an unknown name takes as long as one by a known name."""
        return self._hasher.hash(secrets.token_hex(16))

    def _find(self, name: str, *, current: bool = False) -> AdministratorRecord | None:
        if not NAME.fullmatch(name):
            return None
        try:
            record = self._records.get(ADMINISTRATOR.key(name), current=current)
        except Missing:
            return None
        return record if record.hash and record.name == name else None

    @contextmanager
    def _turn(self, attempt: Attempt) -> Iterator[None]:
        """Waits until few enough others hash. An attempt that gets no turn is not counted as failed.

        Strangers cannot take the turn of those whose network is known.
        """
        turns = self._known_turns if attempt.is_known else self._turns
        if not turns.acquire(timeout=PATIENCE):
            self.attempts.withdraw(attempt)
            raise too_many(1)
        try:
            yield
        finally:
            turns.release()

    def _report(self, attempt: Attempt, record: AdministratorRecord | None, actor: Actor) -> None:
        """Records a failure, if it is news; without a name that nobody has: it may be a password."""
        named = {"administrator": record.name} if record else {}
        try:
            if self.attempts.is_news(attempt):
                self.trail.record("session.refused", actor, attempts=attempt.failures, **named)
        except NproxyError as error:
            _log.warning("a failed sign-in is missing in the audit trail: %s", error)

    def _fits(self, hashed: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return len(password) <= LONGEST and self._hasher.verify(hashed, normal_password(password))
        except (VerificationError, InvalidHashError):
            return False

    def _hash(self, password: str) -> str:
        return self._hasher.hash(normal_password(password))

    def _renew(self, record: AdministratorRecord, password: str) -> None:
        """Hashes a right password anew if weaker parameters were used. A failure is left to the next sign-in."""
        if not self._hasher.check_needs_rehash(record.hash):
            return
        step = partial(_rehashed, old=record.hash, new=self._hash(password))
        with suppress(NproxyError):
            documents.change(self.storage, ADMINISTRATOR.key(record.name), step)

    def _change(self, name: str, kind: str, state: Json, facts: Json, actor: Actor) -> None:
        if not NAME.fullmatch(name):
            raise _unknown()
        AuditedObject(self.storage, ADMINISTRATOR.key(name), self.trail).change(
            partial(_changed, name=name, state=state, kind=kind, facts=facts), actor
        )


def _changed(
    stored: Json | None, _: datetime, *, name: str, state: Json, kind: str, facts: Json
) -> AuditedChange[Json | None]:
    exists = stored is not None and bool(stored["password"])
    if kind == _CREATED and exists:
        raise Conflict("There is an administrator with that name already.", code="administrator-exists")
    if kind != _CREATED and not exists:
        raise _unknown()
    if stored is not None and exists and {**_ALL, **stored} == {**_ALL, **stored, **state}:
        return AuditedChange(None)
    return AuditedChange({**(stored or {}), **state}, [(kind, {"administrator": name, **facts})])


def _with_password(hashed: str) -> dict[str, Any]:
    return {"password": hashed, "epoch": secrets.token_hex(8)}


def _rehashed(stored: Json | None, *, old: str, new: str) -> Json | None:
    """The administrator with another hash of the same password, unless the password was changed meanwhile."""
    return {**stored, "password": new} if stored is not None and stored["password"] == old else None


def _unknown() -> NotFound:
    return NotFound("There is no administrator with that name.", code="unknown-administrator")


def _decode(data: bytes) -> AdministratorRecord:
    document = documents.decode(data)
    try:
        user = _decode_access(document["name"], document)
        return AdministratorRecord(user.name, document["password"], document["epoch"], user.role, user.organizations)
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _decode_access(name: str, document: Json) -> User:
    listed = document.get("organizations")
    role = Role(document.get("role", Role.ADMINISTRATOR))
    return User(name, None if listed is None else frozenset(listed), role)
