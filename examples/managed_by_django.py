"""Organizations at /npm/<id>/, managed at /npm/-/dashboard/ and /npm/api/v1 by the staff of a Django project.

In a project of your own, `user_of` and the last two statements go into its ``wsgi.py``.
"""

from __future__ import annotations

import io
import os
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from nproxy_mw import Mount
from nproxy_mw.hosting import platform
from nproxy_mw.middleware.dashboard import Dashboard, HostLogin
from nproxy_mw.middleware.management import User
from nproxy_mw.middleware.tenants import ByPath

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

urlpatterns: list[object] = []

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY=os.urandom(32).hex(),
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", ":memory:")}},
    )

application = get_wsgi_application()

# Only now: they need the applications to be loaded.
from django.contrib.auth import get_user  # noqa: E402
from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.core.handlers.wsgi import WSGIRequest  # noqa: E402


def user_of(environ: WSGIEnvironment) -> User | None:
    """The signed-in member of the staff, or None. The body is not for Django to read."""
    request = WSGIRequest({**environ, "wsgi.input": io.BytesIO()})
    SessionMiddleware(lambda _: None).process_request(request)  # type: ignore[arg-type]
    user = get_user(request)
    return User(user.get_username()) if user.is_active and getattr(user, "is_staff", False) else None


packages = platform(
    os.environ.get("NPROXY_STORAGE", "nproxy-data"),
    resolve=ByPath(),
    users=user_of,
    dashboard=partial(Dashboard, login=HostLogin(user_of, form_key=settings.SECRET_KEY, sign_in_url="/admin/login/")),
)
application = Mount(application, "/npm", packages)  # type: ignore[assignment]
