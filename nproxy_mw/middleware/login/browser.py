"""The browser's side of npm login: the form, and what it sends.

Three things protect the form: its name cannot be guessed, a hidden value must match a cookie that no other site can set
or read, and browsers say which site a form came from. It carries the password itself, so there is no session that
another site could use.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from nproxy_mw.access import Actor, Administrators, Grant, Principal, check_manages
from nproxy_mw.accounts.pending_logins import LIFETIME, PendingLogin, PendingLogins
from nproxy_mw.errors import BadRequest, Forbidden, NotFound, TooManyRequests, Unauthenticated
from nproxy_mw.http.bodies import read_body
from nproxy_mw.http.context import Context, actor_of
from nproxy_mw.http.messages import Headers, Response
from nproxy_mw.http.negotiation import cookie
from nproxy_mw.http.sites import base_url, refuse_other_sites
from nproxy_mw.middleware.login import page

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

COOKIE = "nproxy_login"
FORM_LIMIT = 16 * 1024  # bytes of a form


class LoginRequest(NamedTuple):
    """One request of a login. *name* is what its path names: a login's secret or its page, or a user."""

    environ: WSGIEnvironment
    context: Context
    name: str

    @property
    def actor(self) -> Actor:
        """The one who asks, as the audit trail names them."""
        return actor_of(self.context, self.environ)


LoginHandler: TypeAlias = Callable[[LoginRequest], Response]


class Sent(Struct, frozen=True):
    """The fields that the form sent."""

    name: str
    password: str
    scopes: frozenset[str]
    form: str


class LoginPage:
    """The login page of the organization *org*."""

    def __init__(self, org: str, logins: PendingLogins, administrators: Administrators, public_url: str | None) -> None:
        self.org = org
        self.logins = logins
        self.administrators = administrators
        self.public_url = public_url

    def show(self, request: LoginRequest) -> Response:
        """Returns the form."""
        try:
            waiting = self.logins.find(request.name)
        except NotFound as error:
            return _say(404, "Nothing to log in", error.message)
        return self._form(request, 200, waiting)

    def grant(self, request: LoginRequest) -> Response:
        """Grants the login if the password is right: npm then gets its token."""
        refuse_other_sites(request.environ)
        sent = _sent(request.environ)
        try:
            waiting = self.logins.find(request.name)
            if not _matches_cookie(request.environ, sent):
                return self._form(request, 403, waiting, "The form had expired: try again.", sent)
            if not sent.scopes or not sent.scopes <= set(Grant):
                return self._form(request, 400, waiting, "Choose what the token may do.", sent)
            administrator = self.administrators.verify(sent.name, sent.password, actor=request.actor)
            check_manages(administrator, self.org)
            request.context.principal = Principal(administrator.name)
            self.logins.grant(request.name, administrator.name, (Grant(scope) for scope in sent.scopes))
        except (Forbidden, Unauthenticated) as error:
            return self._form(request, 403, waiting, error.message, sent)
        except TooManyRequests as error:
            return self._form(request, 429, waiting, error.message, sent, error.headers())
        except NotFound as error:
            return _say(404, "Nothing to log in", error.message)
        return _say(200, "Logged in", "npm has its token now. You can close this page.")

    def _form(
        self,
        request: LoginRequest,
        status: int,
        waiting: PendingLogin,
        alert: str = "",
        sent: Sent | None = None,
        headers: Headers = (),
    ) -> Response:
        form = secrets.token_urlsafe(32)
        name, grants = (sent.name, sent.scopes) if sent else ("", (Grant.PROXY,))
        body = page.form_page(waiting, self.org, form, alert=alert, name=name, grants=grants)
        return Response(status, [*page.HEADERS, *headers, ("Set-Cookie", self._cookie(request.environ, form))], body)

    def _cookie(self, environ: WSGIEnvironment, form: str) -> str:
        # Imported here because few requests are for this page.
        from werkzeug.http import dump_cookie

        base = urlsplit(base_url(environ, self.public_url))
        return dump_cookie(
            COOKIE,
            form,
            max_age=LIFETIME,
            path=f"{base.path}/-/v1/login",
            secure=base.scheme == "https",
            httponly=True,
            samesite="Strict",
        )


def _say(status: int, title: str, sentence: str) -> Response:
    return Response(status, page.HEADERS, page.plain_page(title, sentence))


def _matches_cookie(environ: WSGIEnvironment, sent: Sent) -> bool:
    kept = cookie(environ, COOKIE)
    return bool(kept) and compare_digest(kept.encode("utf-8", "replace"), sent.form.encode("utf-8", "replace"))


def _sent(environ: WSGIEnvironment) -> Sent:
    try:
        fields: Mapping[str, list[str]] = parse_qs(
            bytes(read_body(environ, FORM_LIMIT)).decode(),
            strict_parsing=True,
            keep_blank_values=True,
            max_num_fields=10,
        )
    except ValueError as error:
        raise BadRequest("That is not what the form sends.", code="invalid-form") from error
    name, password, form = (fields.get(key, [""])[0] for key in ("name", "password", "form"))
    return Sent(name, password, frozenset(fields.get("scope", [])), form)
