"""Who looks at the dashboard: by a session of this server in a cookie, or by the login of the host application."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nproxy_mw.access import Actor, User
from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.errors import NotFound

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from nproxy_mw.accounts.administrators import AdministratorStore

_PURPOSE = b"nproxy dashboard form"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is signed in. *key* is a secret that only this visitor's forms are made with."""

    user: User
    key: bytes = field(repr=False)

    @property
    def form_token(self) -> str:
        """The hidden value of every form: no other site, and no other session, can know it."""
        return hmac.new(self.key, _PURPOSE, hashlib.sha256).hexdigest()

    def accepts(self, form_token: str) -> bool:
        """Returns whether a form that was sent is one of this visitor's."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode("utf-8", "replace"))


class VisitorLogin(Protocol):
    """How the dashboard learns who looks at it."""

    @property
    def sign_in_url(self) -> str | None:
        """Where the host signs users in; None when the dashboard does it."""
        ...

    @property
    def sign_out_url(self) -> str | None:
        """Where the host signs users out, by a GET; None when it does not say, or the dashboard does it."""
        ...

    @property
    def accounts(self) -> AdministratorStore | None:
        """The accounts that can be managed here; None when the host has them."""
        ...

    @property
    def sessions(self) -> SessionStore | None:
        """The sessions of these accounts; None when the host has them."""
        ...

    def visitor(self, environ: WSGIEnvironment, secret: str) -> Visitor | None:
        """Returns who sent a request; None when nobody is signed in. *secret* is what the session's cookie holds."""
        ...

    def sign_in(self, name: str, password: str, *, actor: Actor) -> str:
        """Begins a session and returns the secret for its cookie.

        Raises:
            Unauthenticated: the name or the password is wrong.
            TooManyRequests: there were too many attempts.
            NotFound: the host signs users in.
        """
        ...

    def sign_out(self, secret: str, *, actor: Actor) -> None:
        """Ends the session with *secret*; an unknown one has ended already."""
        ...


class SessionLogin:
    """The login of a standalone server: its own *accounts*, and their *sessions*, each in a cookie."""

    sign_in_url = None
    sign_out_url = None

    def __init__(self, accounts: AdministratorStore, sessions: SessionStore) -> None:
        self.accounts = accounts
        self.sessions = sessions

    def visitor(self, environ: WSGIEnvironment, secret: str) -> Visitor | None:
        """Returns whose session *secret* is."""
        name = self.sessions.find(secret)
        user = self.accounts.find(name) if name is not None else None
        return Visitor(user, secret.encode()) if user is not None else None

    def sign_in(self, name: str, password: str, *, actor: Actor) -> str:
        """Begins a session of the administrator *name*. Raises as `VisitorLogin.sign_in`."""
        administrator = self.accounts.verify(name, password, actor=actor)
        return self.sessions.create(administrator, actor=actor)[0]

    def sign_out(self, secret: str, *, actor: Actor) -> None:
        """Ends the session."""
        self.sessions.revoke(secret, actor=actor)


class HostLogin:
    """The login of a host application.

    *users* is a callable from an environ to a `User` or None, as for the management API. *form_key* is a secret of the
    host, the same in all its processes, such as Django's SECRET_KEY: the forms are guarded with it. *sign_in_url* is
    where visitors are sent who are not signed in; the page they wanted is added as ``?next=``.

    Raises:
        ValueError: *form_key* has less than 16 bytes.
    """

    def __init__(
        self,
        users: Callable[[WSGIEnvironment], User | None],
        *,
        form_key: str | bytes,
        sign_in_url: str,
        sign_out_url: str | None = None,
    ) -> None:
        self.users = users
        self.accounts = None
        self.sessions = None
        self.sign_in_url = sign_in_url
        self.sign_out_url = sign_out_url
        self._form_key = form_key.encode() if isinstance(form_key, str) else form_key
        if len(self._form_key) < 16:
            raise ValueError("form_key guards every form: give at least 16 secret bytes.")

    def visitor(self, environ: WSGIEnvironment, secret: str) -> Visitor | None:
        """Returns whom the host says it is."""
        user = self.users(environ)
        return Visitor(user, hmac.digest(self._form_key, user.name.encode(), "sha256")) if user else None

    def sign_in(self, name: str, password: str, *, actor: Actor) -> str:
        """Raises NotFound: the host does this."""
        raise NotFound("Sign in with the application around this page.", code="route-not-found")

    def sign_out(self, secret: str, *, actor: Actor) -> None:
        """Does nothing: the host does this."""
