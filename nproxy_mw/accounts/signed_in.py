"""SignedIn: who sent a request, by the session that it carries in its Authorization header.

Cookies are ignored, so that a page of another site cannot use the session of a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nproxy_mw.accounts.sessions import SessionStore
from nproxy_mw.errors import Unauthenticated
from nproxy_mw.http.bearer import bearer
from nproxy_mw.token_format import looks_like_ours

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from nproxy_mw.access import User
    from nproxy_mw.accounts.administrators import AdministratorStore


class SignedIn:
    """The authenticator of a server that has its own administrators, and keeps their *sessions*."""

    def __init__(self, administrators: AdministratorStore, sessions: SessionStore) -> None:
        self.administrators = administrators
        self.sessions = sessions

    def __call__(self, environ: WSGIEnvironment) -> User | None:
        secret = bearer(environ)
        if looks_like_ours(secret):
            raise Unauthenticated(
                "An API token does not open the management API: sign in with POST /api/v1/sessions.",
                code="not-a-session",
            )
        name = self.sessions.find(secret)
        return self.administrators.find(name) if name is not None else None
