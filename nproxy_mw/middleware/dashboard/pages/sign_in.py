"""Signing in and out.

The form of the sign-in has no session yet. Its hidden value must match a cookie that no other site can set or read. A
session begins with a new secret each time, so that one that somebody planted in the browser is never taken over.
"""

from __future__ import annotations

import re
import secrets
from hmac import compare_digest

from nproxy_mw.errors import NotFound, NproxyError, TooManyRequests, Unauthenticated
from nproxy_mw.middleware.dashboard.answers import Answer, Page, Redirect
from nproxy_mw.middleware.dashboard.cookies import FORGET, GUARD, SESSION, Cookie
from nproxy_mw.middleware.dashboard.request import PageRequest

_NEXT = re.compile(r"[A-Za-z0-9@/._~+-]{0,600}(\?[A-Za-z0-9@/._~+&=%-]{0,600})?", re.ASCII)
_GUARD_SECONDS = 3600


def show(request: PageRequest) -> Answer:
    """Returns the form."""
    if request.site.login.sign_in_url is not None:
        raise NotFound("There is no such page.", code="route-not-found")
    if request.visitor is not None:
        return Redirect(_wanted(request.query.text("next")))
    return _form(request)


def sign_in(request: PageRequest) -> Answer:
    """Signs in when the name and the password are right."""
    sent, guard = request.form, _guard(request).read(request.environ)
    if not guard or not compare_digest(guard.encode(), sent.raw("guard").encode("utf-8", "replace")):
        return _form(request, 403, "The form had expired: try again.")
    try:
        secret = request.site.login.sign_in(sent.text("name"), sent.raw("password"), actor=request.actor)
    except (Unauthenticated, TooManyRequests) as error:
        return _form(request, _status(error), error.message)
    if request.secret:
        request.site.login.sign_out(request.secret, actor=request.actor)
    cookies = [_session(request).set(secret)]
    return Redirect(_wanted(sent.text("next")), headers=cookies)


def sign_out(request: PageRequest) -> Answer:
    """Ends the session."""
    request.site.login.sign_out(request.secret, actor=request.actor)
    return Redirect("sign-in", "signed-out", [_session(request).clear(), FORGET])


def _form(request: PageRequest, status: int = 200, alert: str = "") -> Page:
    guard = secrets.token_urlsafe(32)
    values = {
        "guard": guard,
        "problem": alert,
        "name": request.form.text("name"),
        "next": _wanted(request.form.text("next") or request.query.text("next")),
    }
    return Page("sign_in.html", "Sign in", values, status, [_guard(request).set(guard, _GUARD_SECONDS)])


def _wanted(path: str) -> str:
    """Returns the page below the dashboard to go to; the first one when *path* is none."""
    return path if _NEXT.fullmatch(path) and "//" not in path and ".." not in path else ""


def _status(error: NproxyError) -> int:
    return error.status if isinstance(error, TooManyRequests) else 403


def _session(request: PageRequest) -> Cookie:
    return Cookie(SESSION, request.base, request.is_secure)


def _guard(request: PageRequest) -> Cookie:
    return Cookie(GUARD, request.base, request.is_secure)
