"""The browser's side of npm login: the form, and what is sent with it.

The form is guarded in three ways: its name is unguessable, a hidden value must match a cookie that no other site can
set or read, and browsers say which site a form came from. It carries the password itself, so there is no session that
another site could ride on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

from werkzeug.http import dump_cookie, parse_cookie

from nproxy_mw.access import Grant
from nproxy_mw.accounts.sessions import Administrator
from nproxy_mw.errors import BadRequest, NotFound, TooManyRequests, Unauthenticated
from nproxy_mw.http import messages
from nproxy_mw.http.bodies import read_body
from nproxy_mw.http.sites import refuse_other_sites
from nproxy_mw.middleware.login import page
from nproxy_mw.middleware.login.pending import LIFETIME, PendingLogin, PendingLogins

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

COOKIE = "nproxy_login"
FORM_LIMIT = 16 * 1024  # bytes of a form


class Administrators(Protocol):
    """Who knows the administrators' passwords."""

    def verify(self, name: str, password: str, *, ip: str) -> Administrator:
        """Who *name* is when *password* is theirs. Raises `Unauthenticated`, `TooManyRequests`."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with the form."""

    name: str
    password: str
    scopes: frozenset[str]
    form: str


class LoginPage:
    """Answers the login page of the organization *org*."""

    def __init__(self, org: str, logins: PendingLogins, administrators: Administrators, public_url: str | None) -> None:
        self.org = org
        self.logins = logins
        self.administrators = administrators
        self.public_url = public_url

    def show(self, environ: WSGIEnvironment, start_response: StartResponse, name: str) -> Iterable[bytes]:
        """The form."""
        try:
            waiting = self.logins.find(name)
        except NotFound as error:
            return _say(environ, start_response, 404, "Nothing to log in", error.message)
        return self._form(environ, start_response, 200, waiting)

    def grant(self, environ: WSGIEnvironment, start_response: StartResponse, name: str) -> Iterable[bytes]:
        """What the form brought: npm gets its token when the password is right."""
        refuse_other_sites(environ)
        sent = _sent(environ)
        try:
            waiting = self.logins.find(name)
            cookie = parse_cookie(environ).get(COOKIE) or ""
            if not cookie or not compare_digest(cookie.encode(), sent.form.encode()):
                return self._form(environ, start_response, 403, waiting, "The form had grown old: try again.", sent)
            if not sent.scopes or not sent.scopes <= set(Grant):
                return self._form(environ, start_response, 400, waiting, "Choose what the token may do.", sent)
            administrator = self.administrators.verify(sent.name, sent.password, ip=environ.get("REMOTE_ADDR", ""))
            self.logins.grant(name, administrator.name, (Grant(scope) for scope in sent.scopes))
        except Unauthenticated as error:
            return self._form(environ, start_response, 403, waiting, error.message, sent)
        except TooManyRequests as error:
            return self._form(environ, start_response, 429, waiting, error.message, sent, error.headers())
        except NotFound as error:
            return _say(environ, start_response, 404, "Nothing to log in", error.message)
        return _say(environ, start_response, 200, "Logged in", "npm has its token now. You can close this page.")

    def _form(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        status: int,
        waiting: PendingLogin,
        alert: str = "",
        sent: Sent | None = None,
        headers: messages.Headers = (),
    ) -> Iterable[bytes]:
        form = secrets.token_urlsafe(32)
        kept = {"name": sent.name, "grants": sent.scopes} if sent else {}
        body = page.form_page(waiting, self.org, form, alert=alert, **kept)  # type: ignore[arg-type]
        all_headers = [*page.HEADERS, *headers, ("Set-Cookie", self._cookie(environ, form))]
        return messages.send(environ, start_response, status, all_headers, body)

    def _cookie(self, environ: WSGIEnvironment, form: str) -> str:
        base = urlsplit(messages.base_url(environ, self.public_url))
        return dump_cookie(
            COOKIE,
            form,
            max_age=LIFETIME,
            path=f"{base.path}/-/v1/login",
            secure=base.scheme == "https",
            httponly=True,
            samesite="Strict",
        )


def _say(
    environ: WSGIEnvironment, start_response: StartResponse, status: int, title: str, sentence: str
) -> Iterable[bytes]:
    return messages.send(environ, start_response, status, page.HEADERS, page.plain_page(title, sentence))


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
