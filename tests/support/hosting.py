"""A whole platform for a test: organizations, an administrator, an upstream that remembers what it was asked."""

from __future__ import annotations

import uuid
from functools import cached_property, partial
from typing import Any

from argon2 import PasswordHasher

from nproxy_mw.access import Actor, User
from nproxy_mw.accounts.administrators import AdministratorStore
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.hosting import Platform
from nproxy_mw.middleware.dashboard import Dashboard, SessionLogin
from nproxy_mw.middleware.management import SignedIn
from nproxy_mw.middleware.tenants import ByPath, Resolve
from nproxy_mw.orgs.directory import OrganizationDirectory
from nproxy_mw.orgs.organization import Organizations
from nproxy_mw.storage import open_storage
from nproxy_mw.storage.locks import ThreadLocks
from nproxy_mw.storage.port import Storage
from support.client import Client, validated
from support.registry import ACTOR, SilentUpstream

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class PlatformFixture:
    """A platform on *storage*; *users* in the place of the server's own sessions, and *login* in that of
    the dashboard's own, when given.
    """

    def __init__(
        self,
        storage: Storage | None = None,
        *,
        resolve: Resolve | None = None,
        orgs: tuple[str, ...] = ("acme", "beta"),
        users: Any = None,
        login: Any = None,
        public_url: str | None = None,
        upstream: Any = None,
    ) -> None:
        self.storage = storage or open_storage(f"memory://{uuid.uuid4().hex}")
        self.organizations = OrganizationDirectory(self.storage)
        trail = self.organizations.trail("system")
        self.administrators = AdministratorStore(self.storage, trail=trail, hasher=CHEAP)
        self.sessions = SessionStore(self.storage, epoch_of=self.administrators.epoch_of, trail=trail)
        self.upstream = upstream or SilentUpstream()
        self.platform = Platform(
            Organizations(self.storage, ThreadLocks()),
            resolve=resolve or ByPath(),
            upstream=self.upstream,
            public_url=public_url,
            users=users or SignedIn(self.administrators, self.sessions),
            administrators=self.administrators,
            dashboard=partial(Dashboard, login=login or SessionLogin(self.administrators, self.sessions)),
        )
        self.app = validated([], on=self.platform)
        for org in orgs:
            self.organizations.ensure(org, actor=ACTOR)

    @cached_property
    def administrator(self) -> str:
        """The name of the only administrator."""
        return self.administrators.create("ann", PASSWORD, actor=ACTOR).name

    def session(self) -> str:
        """A new session's secret."""
        return self.sessions.create(self.signed_in, actor=ACTOR)[0]

    @cached_property
    def signed_in(self) -> User:
        """The administrator, whose password is looked at once: attempts are counted, and slowed."""
        return self.administrators.verify(self.administrator, PASSWORD, actor=Actor(ip="192.0.2.7"))

    def manager(self, **environ: Any) -> Client:
        """A client that is signed in."""
        return Client(self.app, self.session(), environ=environ)

    def stranger(self, **environ: Any) -> Client:
        """A client without anything."""
        return Client(self.app, environ=environ)

    def token(self, org: str, *grants: str, **how: Any) -> str:
        """A new token of *org* that may do all of *grants*; everything when none is named."""
        tokens = self.platform.organization(org).tokens
        return tokens.create("bob", grants or ("proxy", "publish"), actor=ACTOR, **how)[0]

    def client(self, org: str, *grants: str, **environ: Any) -> Client:
        """A client with a new token of *org*."""
        return Client(self.app, self.token(org, *grants), environ=environ)

    def scopes(self, org: str, *scopes: str) -> None:
        """Makes *scopes* the internal ones of *org*."""
        self.platform.organization(org).settings.change({"internalScopes": list(scopes)}, actor=ACTOR)
