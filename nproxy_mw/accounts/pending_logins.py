"""Logins that wait for a person: npm polls for one, and the page in the browser grants it.

npm and the browser each have a name for the same login. npm's is a secret that is enough to get the token: pnpm polls
without any other proof. The browser's is a hash of it, so that the address of the page does not give the token away.
The token itself is never stored: the process that removes the record creates it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from nproxy_mw.access import Actor, Grant
from nproxy_mw.accounts.attempts import network_of
from nproxy_mw.audit.events import Stamp
from nproxy_mw.errors import Changed, Missing, NotFound, NproxyError, TooManyRequests
from nproxy_mw.json_values import Json
from nproxy_mw.storage import documents
from nproxy_mw.storage.layout import LOGIN
from nproxy_mw.storage.port import Storage
from nproxy_mw.times import Clock, parse_time, utc_now

LIFETIME = timedelta(minutes=10)
MAX_OF_ADDRESS = 50
MAX_IN_ALL = 2000
"""Logins of one network, and of one organization, that may wait at once: they are stored before anyone signs in.

A network that exceeds its number is refused. When the organization exceeds its number, the oldest login is removed, so
that strangers from many networks cannot keep others from logging in.
"""

# When it expires (seconds, hex) and a hash of the address that began it, so that neither needs the object opened; then
# the secret, or its hash.
_NAME = re.compile(r"(?P<begin>(?P<expires>[0-9a-f]{8,12})-[0-9a-f]{8}-)(?P<rest>[0-9a-f]{64})", re.ASCII)


class PendingLogin(Struct, frozen=True):
    """A login that waits, and who began it."""

    ip: str
    user_agent: str
    created_at: str


class GrantedLogin(Struct, frozen=True):
    """What an administrator granted: a token with that name and those scopes."""

    administrator: str
    grants: frozenset[Grant]


class PendingLogins:
    """The waiting logins of one organization on *storage*, its own."""

    def __init__(self, storage: Storage, *, clock: Clock = utc_now) -> None:
        self.storage = storage
        self.clock = clock

    def begin(self, actor: Actor) -> tuple[str, str]:
        """Begins a login; returns the name for the browser and the secret for npm.

        Raises:
            TooManyRequests: too many of this network wait already.
        """
        now = self.clock()
        address = hashlib.sha256(network_of(actor.ip).encode()).hexdigest()[:8]
        self._make_room(address)
        begin = f"{int((now + LIFETIME).timestamp()):x}-{address}-"
        secret = begin + secrets.token_hex(32)
        asked = Stamp("", actor, now).events([("login.asked", {})])[0]
        document = {"ip": asked["ip"], "userAgent": asked["userAgent"], "createdAt": asked["time"], "granted": None}
        self.storage.create(LOGIN.key(_public(secret)), documents.encode(document))
        return _public(secret), secret

    def find(self, name: str) -> PendingLogin:
        """Returns the login that still waits under the browser's *name*. Raises `NotFound`."""
        return _waiting(self._read(name))

    def grant(self, name: str, administrator: str, grants: Iterable[Grant]) -> None:
        """Lets npm collect a token. Raises `NotFound` if the login no longer waits."""
        self._check(name)
        granted = {"administrator": administrator, "scopes": sorted(grants)}

        def step(document: dict[str, Any] | None) -> Json:
            _waiting(document)
            return {**(document or {}), "granted": granted}

        documents.change(self.storage, LOGIN.key(name), step)

    def collect(self, secret: str) -> GrantedLogin | None:
        """Returns what was granted, once; None while it waits. Raises `NotFound` if it is over."""
        name = _public(secret)
        self._check(name)
        try:
            stored = self.storage.read(LOGIN.key(name))
            document = documents.decode(stored.data)
            granted = document["granted"]
            if granted is None:
                return None
            if "collected" in document:
                raise _over()
            self.storage.replace(LOGIN.key(name), documents.encode({**document, "collected": True}), stored.revision)
        except (Missing, Changed) as error:
            raise _over() from error
        # The writer of that has the login. What cannot be removed now is removed when its time is over.
        with suppress(NproxyError):
            self.storage.delete(LOGIN.key(name))
        return GrantedLogin(granted["administrator"], frozenset(Grant(scope) for scope in granted["scopes"]))

    def _read(self, name: str) -> dict[str, Any] | None:
        self._check(name)
        return documents.find(self.storage, LOGIN.key(name))

    def _check(self, name: str) -> None:
        match = _NAME.fullmatch(name)
        if match is None or int(match["expires"], 16) <= self.clock().timestamp():
            raise _over()

    def _make_room(self, address: str) -> None:
        """Removes what has expired or exceeds the total; refuses what exceeds the number of one network."""
        now, of_address, in_all = self.clock().timestamp(), 0, list[str]()
        for key in list(LOGIN.keys(self.storage)):
            expires, _, rest = key.rpartition("/")[2].partition("-")
            if int(expires, 16) > now:
                in_all.append(key)
                of_address += rest.startswith(address)
                continue
            try:
                self.storage.delete(key)
            except Missing:
                continue
        if of_address >= MAX_OF_ADDRESS:
            raise TooManyRequests(
                "Too many logins wait already: finish one of them, or try again later.", retry_after=60
            )
        if len(in_all) >= MAX_IN_ALL:
            self._drop_oldest(in_all)

    def _drop_oldest(self, keys: Iterable[str]) -> None:
        """Removes the login that has waited longest, of those that are not granted."""
        for key in sorted(keys):  # a name begins with when it expires
            document = documents.find(self.storage, key)
            if document is not None and document["granted"] is None:
                with suppress(Missing):
                    self.storage.delete(key)
                return


def is_over(data: bytes, now: datetime) -> bool:
    """Returns whether the login that *data* stores may be removed: it can no longer be granted or collected.

    Raises:
        UnreadableObject: *data* is no login.
    """
    try:
        return now >= parse_time(documents.decode(data)["createdAt"]) + 2 * LIFETIME
    except (KeyError, TypeError, ValueError) as error:
        raise documents.damaged() from error


def _public(secret: str) -> str:
    match = _NAME.fullmatch(secret)
    if match is None:
        raise _over()
    return match["begin"] + hashlib.sha256(secret.encode()).hexdigest()


def _waiting(document: Json | None) -> PendingLogin:
    if document is None or document["granted"] is not None:
        raise _over()
    return PendingLogin(document["ip"], document["userAgent"], document["createdAt"])


def _over() -> NotFound:
    return NotFound("This login is over or never existed: run npm login again.", code="login-over")
