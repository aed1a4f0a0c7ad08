"""Organizations at /npm/<id>/, managed at /npm/-/dashboard/ and /npm/api/v1 by the users of a Flask application.

With Flask-Login, `user_of` asks ``current_user`` in the place of the session.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, session

from nproxy_mw import Mount
from nproxy_mw.hosting import platform
from nproxy_mw.middleware.dashboard import Dashboard, HostLogin
from nproxy_mw.middleware.management import User
from nproxy_mw.middleware.tenants import ByPath

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

app = Flask(__name__)
app.secret_key = secret = os.environ.get("SECRET_KEY") or os.urandom(32)
app.config["SESSION_COOKIE_SAMESITE"] = "Lax"


def user_of(environ: WSGIEnvironment) -> User | None:
    """Who is signed in, or None. This one may manage everything; ``User(name, frozenset({"acme"}))`` one alone."""
    with app.request_context(environ):
        return User(session["user"]) if "user" in session else None


packages = platform(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    resolve=ByPath(),
    users=user_of,
    dashboard=partial(Dashboard, login=HostLogin(user_of, form_key=secret, sign_in_url="/sign-in")),
)
app.wsgi_app = Mount(app.wsgi_app, "/npm", packages)  # type: ignore[method-assign]
